-- Made by Drizzle ORM 0.45 on SQLite.
PRAGMA foreign_keys=OFF;
BEGIN TRANSACTION;
CREATE TABLE IF NOT EXISTS "__drizzle_migrations" (
				id SERIAL PRIMARY KEY,
				hash text NOT NULL,
				created_at numeric
			);
INSERT INTO __drizzle_migrations VALUES(NULL,'92b9f81d89866d15f7ba3514762846497f9b9064b06912e8489530c65344c4ff',1796002547429);
CREATE TABLE `users` (
	`id` integer PRIMARY KEY NOT NULL,
	`username` text(40) NOT NULL,
	`email` text,
	`is_active` integer DEFAULT true NOT NULL,
	`created_at` integer NOT NULL
);
INSERT INTO users VALUES(1,'ann','ann@example.com',1,1704182400);
INSERT INTO users VALUES(2,'ben','ben@example.com',0,1706950800);
CREATE TABLE `tags` (
	`id` integer PRIMARY KEY NOT NULL,
	`name` text NOT NULL
);
INSERT INTO tags VALUES(1,'garden');
INSERT INTO tags VALUES(2,'house');
INSERT INTO tags VALUES(3,'music');
CREATE TABLE `projects` (
	`id` integer PRIMARY KEY NOT NULL,
	`owner_id` integer NOT NULL,
	`code` text NOT NULL,
	`name` text NOT NULL,
	`budget` numeric,
	`state` text DEFAULT 'open' NOT NULL,
	`is_public` integer DEFAULT false NOT NULL,
	`options` blob,
	`extra` text,
	`due` text,
	`changed_at` integer,
	FOREIGN KEY (`owner_id`) REFERENCES `users`(`id`) ON UPDATE no action ON DELETE no action
);
INSERT INTO projects VALUES(1,1,'12345678-90ab-4cde-8f00-112233445566','Shed',1250.5,'open',0,X'7b22636f6c6f7572223a22677265656e222c2273697a6573223a5b312c322e355d7d','{"a":[true,null]}','2024-06-30',1709277300123);
INSERT INTO projects VALUES(2,2,'fedcba98-7654-4321-8f00-112233445566','Choir',300,'done',1,NULL,NULL,NULL,NULL);
CREATE TABLE `project_tags` (
	`project_id` integer NOT NULL,
	`tag_id` integer NOT NULL,
	PRIMARY KEY(`project_id`, `tag_id`),
	FOREIGN KEY (`project_id`) REFERENCES `projects`(`id`) ON UPDATE no action ON DELETE no action,
	FOREIGN KEY (`tag_id`) REFERENCES `tags`(`id`) ON UPDATE no action ON DELETE no action
);
INSERT INTO project_tags VALUES(1,1);
INSERT INTO project_tags VALUES(1,2);
INSERT INTO project_tags VALUES(2,3);
CREATE TABLE `entries` (
	`id` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`project_id` integer NOT NULL,
	`note` text,
	`at` text DEFAULT (CURRENT_TIMESTAMP) NOT NULL,
	`serial` blob,
	`weight` real,
	`photo` blob,
	FOREIGN KEY (`project_id`) REFERENCES `projects`(`id`) ON UPDATE no action ON DELETE cascade
);
INSERT INTO entries VALUES(1,1,'dug','2024-04-05 01:36:53',X'39303037313939323534373430393933',2.5,X'8900ff');
INSERT INTO entries VALUES(2,1,NULL,'2024-03-02 00:00:00',NULL,NULL,NULL);
INSERT INTO entries VALUES(3,2,'sang','2024-03-03 01:02:03',X'32',0.33333333333333331482,NULL);
DELETE FROM sqlite_sequence;
INSERT INTO sqlite_sequence VALUES('entries',3);
CREATE UNIQUE INDEX `users_username_unique` ON `users` (`username`);
CREATE UNIQUE INDEX `tags_name_unique` ON `tags` (`name`);
COMMIT;
