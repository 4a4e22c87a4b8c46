-- Made by Active Record 6.1.7 on PostgreSQL.
CREATE TABLE public.ar_internal_metadata (
    key character varying NOT NULL,
    value character varying,
    created_at timestamp(6) without time zone NOT NULL,
    updated_at timestamp(6) without time zone NOT NULL
);
CREATE TABLE public.entries (
    id bigint NOT NULL,
    project_id bigint NOT NULL,
    note text,
    starts time without time zone,
    at timestamp(6) without time zone NOT NULL,
    photo bytea,
    weight double precision,
    serial bigint NOT NULL
);
CREATE SEQUENCE public.entries_id_seq START WITH 1 INCREMENT BY 1 NO MINVALUE NO MAXVALUE CACHE 1;
ALTER SEQUENCE public.entries_id_seq OWNED BY public.entries.id;
CREATE TABLE public.projects (
    id bigint NOT NULL,
    owner_id bigint NOT NULL,
    name character varying(80),
    budget numeric(10,2),
    state character varying DEFAULT 'open'::character varying NOT NULL,
    is_public boolean DEFAULT false NOT NULL,
    options json,
    due date,
    created_at timestamp(6) without time zone NOT NULL,
    updated_at timestamp(6) without time zone NOT NULL
);
CREATE SEQUENCE public.projects_id_seq START WITH 1 INCREMENT BY 1 NO MINVALUE NO MAXVALUE CACHE 1;
ALTER SEQUENCE public.projects_id_seq OWNED BY public.projects.id;
CREATE TABLE public.projects_tags (
    project_id bigint NOT NULL,
    tag_id bigint NOT NULL
);
CREATE TABLE public.schema_migrations (
    version character varying NOT NULL
);
CREATE TABLE public.tags (
    id bigint NOT NULL,
    name character varying NOT NULL
);
CREATE SEQUENCE public.tags_id_seq START WITH 1 INCREMENT BY 1 NO MINVALUE NO MAXVALUE CACHE 1;
ALTER SEQUENCE public.tags_id_seq OWNED BY public.tags.id;
CREATE TABLE public.users (
    id bigint NOT NULL,
    username character varying NOT NULL,
    email character varying NOT NULL,
    is_active boolean DEFAULT true NOT NULL,
    created_at timestamp(6) without time zone NOT NULL,
    updated_at timestamp(6) without time zone NOT NULL
);
CREATE SEQUENCE public.users_id_seq START WITH 1 INCREMENT BY 1 NO MINVALUE NO MAXVALUE CACHE 1;
ALTER SEQUENCE public.users_id_seq OWNED BY public.users.id;
ALTER TABLE ONLY public.entries ALTER COLUMN id SET DEFAULT nextval('public.entries_id_seq'::regclass);
ALTER TABLE ONLY public.projects ALTER COLUMN id SET DEFAULT nextval('public.projects_id_seq'::regclass);
ALTER TABLE ONLY public.tags ALTER COLUMN id SET DEFAULT nextval('public.tags_id_seq'::regclass);
ALTER TABLE ONLY public.users ALTER COLUMN id SET DEFAULT nextval('public.users_id_seq'::regclass);
INSERT INTO public.ar_internal_metadata VALUES ('environment', 'production', '2024-04-05 03:52:16.045768', '2024-04-05 03:52:16.045768');
INSERT INTO public.schema_migrations VALUES ('20240101000000');
ALTER TABLE ONLY public.ar_internal_metadata ADD CONSTRAINT ar_internal_metadata_pkey PRIMARY KEY (key);
ALTER TABLE ONLY public.entries ADD CONSTRAINT entries_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.projects ADD CONSTRAINT projects_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.schema_migrations ADD CONSTRAINT schema_migrations_pkey PRIMARY KEY (version);
ALTER TABLE ONLY public.tags ADD CONSTRAINT tags_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.users ADD CONSTRAINT users_pkey PRIMARY KEY (id);
CREATE INDEX index_entries_on_project_id ON public.entries USING btree (project_id);
CREATE INDEX index_projects_on_owner_id ON public.projects USING btree (owner_id);
CREATE UNIQUE INDEX index_projects_tags_on_project_id_and_tag_id ON public.projects_tags USING btree (project_id, tag_id);
CREATE UNIQUE INDEX index_tags_on_name ON public.tags USING btree (name);
CREATE UNIQUE INDEX index_users_on_username ON public.users USING btree (username);
ALTER TABLE ONLY public.projects ADD CONSTRAINT fk_rails_219ef9bf7d FOREIGN KEY (owner_id) REFERENCES public.users(id);
ALTER TABLE ONLY public.entries ADD CONSTRAINT fk_rails_917625c1ee FOREIGN KEY (project_id) REFERENCES public.projects(id);
