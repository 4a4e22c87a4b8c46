SELECT nextval('room_numbers'), nextval('message_stream'), nextval('message_backfill'), nextval('files_id_seq'), nextval('jobs_id_seq');
