-- Made by SQLAlchemy 2.1 and Alembic 1.20 on SQLite.
PRAGMA foreign_keys=OFF;
BEGIN TRANSACTION;
CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO alembic_version VALUES('3f2a1b4c5d6e');
CREATE TABLE tags (
	id INTEGER NOT NULL, 
	name VARCHAR(40) NOT NULL, 
	PRIMARY KEY (id), 
	UNIQUE (name)
);
INSERT INTO tags VALUES(1,'garden');
INSERT INTO tags VALUES(2,'house');
INSERT INTO tags VALUES(3,'music');
CREATE TABLE users (
	id INTEGER NOT NULL, 
	username VARCHAR(40) NOT NULL, 
	email VARCHAR(120) NOT NULL, 
	is_active BOOLEAN NOT NULL, 
	created_at DATETIME DEFAULT (CURRENT_TIMESTAMP) NOT NULL, 
	PRIMARY KEY (id), 
	UNIQUE (username)
);
INSERT INTO users VALUES(1,'ann','ann@example.com',1,'2024-01-02 08:00:00.000000');
INSERT INTO users VALUES(2,'ben','ben@example.com',0,'2024-02-03 09:00:00.000005');
CREATE TABLE projects (
	id INTEGER NOT NULL, 
	owner_id INTEGER NOT NULL, 
	code CHAR(32) NOT NULL, 
	name VARCHAR(80) NOT NULL, 
	budget NUMERIC(10, 2), 
	state VARCHAR(4) NOT NULL, 
	is_public BOOLEAN NOT NULL, 
	options JSON, 
	due DATE, 
	PRIMARY KEY (id), 
	FOREIGN KEY(owner_id) REFERENCES users (id)
);
INSERT INTO projects VALUES(1,1,'1234567890ab4cde8f00112233445566','Shed',1250.5,'OPEN',0,'{"colour": "green", "sizes": [1, 2.5]}','2024-06-30');
INSERT INTO projects VALUES(2,2,'fedcba98765443218f00112233445566','Choir',300,'DONE',1,'null',NULL);
CREATE TABLE entries (
	id INTEGER NOT NULL, 
	project_id INTEGER NOT NULL, 
	note TEXT, 
	spent DATETIME NOT NULL, 
	starts TIME, 
	at DATETIME NOT NULL, 
	photo BLOB, 
	PRIMARY KEY (id), 
	FOREIGN KEY(project_id) REFERENCES projects (id) ON DELETE CASCADE
);
INSERT INTO entries VALUES(1,1,'dug','1970-01-01 01:30:00.000000','09:05:00.000000','2024-03-01 07:15:00.123456',X'8900ff');
INSERT INTO entries VALUES(2,1,NULL,'1970-01-02 00:00:00.000005',NULL,'2024-03-02 00:00:00.000000',NULL);
INSERT INTO entries VALUES(3,2,'sang','1970-01-01 00:00:45.000000','20:00:00.500000','2024-03-03 01:02:03.000000',NULL);
CREATE TABLE project_tags (
	project_id INTEGER NOT NULL, 
	tag_id INTEGER NOT NULL, 
	PRIMARY KEY (project_id, tag_id), 
	FOREIGN KEY(project_id) REFERENCES projects (id), 
	FOREIGN KEY(tag_id) REFERENCES tags (id)
);
INSERT INTO project_tags VALUES(2,3);
INSERT INTO project_tags VALUES(1,1);
INSERT INTO project_tags VALUES(1,2);
COMMIT;
