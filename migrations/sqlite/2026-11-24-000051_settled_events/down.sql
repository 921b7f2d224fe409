-- SQLite has one writer: positions are in the order of commits.
SELECT 1;
