DROP TABLE access_version;
