DROP TABLE enrollment_turns;
