DROP TABLE other_emails;
DROP INDEX users_by_creation;
DROP INDEX users_by_shown_name;
DROP INDEX users_by_user_name;
ALTER TABLE users DROP COLUMN scim_document;
ALTER TABLE users DROP COLUMN user_name_key;
ALTER TABLE users DROP COLUMN user_name;
