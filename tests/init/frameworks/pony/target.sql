-- Made by Pony 0.7.20 on PostgreSQL.
CREATE TABLE public.entry (
    id integer NOT NULL,
    project uuid NOT NULL,
    note text NOT NULL,
    starts time without time zone,
    at timestamp without time zone NOT NULL,
    spent interval day to second,
    photo bytea,
    weight double precision,
    serial bigint NOT NULL
);
CREATE SEQUENCE public.entry_id_seq AS integer START WITH 1 INCREMENT BY 1 NO MINVALUE NO MAXVALUE CACHE 1;
ALTER SEQUENCE public.entry_id_seq OWNED BY public.entry.id;
CREATE TABLE public.project (
    id uuid NOT NULL,
    owner integer NOT NULL,
    name character varying(80) NOT NULL,
    budget numeric(10,2),
    is_public boolean NOT NULL,
    options jsonb NOT NULL,
    due date
);
CREATE TABLE public.project_tag (
    project uuid NOT NULL,
    tag integer NOT NULL
);
CREATE TABLE public.tag (
    id integer NOT NULL,
    name character varying(40) NOT NULL
);
CREATE SEQUENCE public.tag_id_seq AS integer START WITH 1 INCREMENT BY 1 NO MINVALUE NO MAXVALUE CACHE 1;
ALTER SEQUENCE public.tag_id_seq OWNED BY public.tag.id;
CREATE TABLE public.users (
    id integer NOT NULL,
    username character varying(40) NOT NULL,
    email text NOT NULL,
    is_active boolean NOT NULL,
    created_at timestamp without time zone NOT NULL
);
CREATE SEQUENCE public.users_id_seq AS integer START WITH 1 INCREMENT BY 1 NO MINVALUE NO MAXVALUE CACHE 1;
ALTER SEQUENCE public.users_id_seq OWNED BY public.users.id;
ALTER TABLE ONLY public.entry ALTER COLUMN id SET DEFAULT nextval('public.entry_id_seq'::regclass);
ALTER TABLE ONLY public.tag ALTER COLUMN id SET DEFAULT nextval('public.tag_id_seq'::regclass);
ALTER TABLE ONLY public.users ALTER COLUMN id SET DEFAULT nextval('public.users_id_seq'::regclass);
ALTER TABLE ONLY public.entry ADD CONSTRAINT entry_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.project ADD CONSTRAINT project_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.project_tag ADD CONSTRAINT project_tag_pkey PRIMARY KEY (project, tag);
ALTER TABLE ONLY public.tag ADD CONSTRAINT tag_name_key UNIQUE (name);
ALTER TABLE ONLY public.tag ADD CONSTRAINT tag_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.users ADD CONSTRAINT users_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.users ADD CONSTRAINT users_username_key UNIQUE (username);
CREATE INDEX idx_entry__project ON public.entry USING btree (project);
CREATE INDEX idx_project__owner ON public.project USING btree (owner);
CREATE INDEX idx_project_tag ON public.project_tag USING btree (tag);
ALTER TABLE ONLY public.entry ADD CONSTRAINT fk_entry__project FOREIGN KEY (project) REFERENCES public.project(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.project ADD CONSTRAINT fk_project__owner FOREIGN KEY (owner) REFERENCES public.users(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.project_tag ADD CONSTRAINT fk_project_tag__project FOREIGN KEY (project) REFERENCES public.project(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.project_tag ADD CONSTRAINT fk_project_tag__tag FOREIGN KEY (tag) REFERENCES public.tag(id) ON DELETE CASCADE;
