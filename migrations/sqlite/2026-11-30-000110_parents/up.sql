-- Only Postgres looks the parents of each row up in a query of its own.
SELECT 1;
