DROP TABLE certificates;
DROP TABLE attempts;
DROP TABLE overrides;
DROP TABLE choices;
DROP TABLE learning_events;
DROP TABLE module_records;
DROP TABLE enrollments;
