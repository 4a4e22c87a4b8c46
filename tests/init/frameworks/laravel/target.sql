-- Made by Laravel's database component 8.83 on PostgreSQL.
CREATE TABLE public.entries (
    id bigint NOT NULL,
    project_id uuid NOT NULL,
    note text,
    starts time(0) without time zone,
    at timestamp(0) without time zone NOT NULL,
    photo bytea,
    weight double precision,
    serial bigint NOT NULL
);
CREATE SEQUENCE public.entries_id_seq START WITH 1 INCREMENT BY 1 NO MINVALUE NO MAXVALUE CACHE 1;
ALTER SEQUENCE public.entries_id_seq OWNED BY public.entries.id;
CREATE TABLE public.migrations (
    id integer NOT NULL,
    migration character varying(255) NOT NULL,
    batch integer NOT NULL
);
CREATE SEQUENCE public.migrations_id_seq AS integer START WITH 1 INCREMENT BY 1 NO MINVALUE NO MAXVALUE CACHE 1;
ALTER SEQUENCE public.migrations_id_seq OWNED BY public.migrations.id;
CREATE TABLE public.project_tag (
    project_id uuid NOT NULL,
    tag_id bigint NOT NULL
);
CREATE TABLE public.projects (
    id uuid NOT NULL,
    owner_id bigint NOT NULL,
    name character varying(80) NOT NULL,
    budget numeric(10,2),
    state character varying(255) DEFAULT 'open'::character varying NOT NULL,
    is_public boolean DEFAULT false NOT NULL,
    options json,
    due date,
    created_at timestamp(0) without time zone,
    updated_at timestamp(0) without time zone,
    deleted_at timestamp(0) without time zone,
    CONSTRAINT projects_state_check CHECK (((state)::text = ANY ((ARRAY['open'::character varying, 'done'::character varying])::text[])))
);
CREATE TABLE public.tags (
    id bigint NOT NULL,
    name character varying(40) NOT NULL
);
CREATE SEQUENCE public.tags_id_seq START WITH 1 INCREMENT BY 1 NO MINVALUE NO MAXVALUE CACHE 1;
ALTER SEQUENCE public.tags_id_seq OWNED BY public.tags.id;
CREATE TABLE public.users (
    id bigint NOT NULL,
    username character varying(40) NOT NULL,
    email character varying(255) NOT NULL,
    email_verified_at timestamp(0) without time zone,
    is_active boolean DEFAULT true NOT NULL,
    remember_token character varying(100),
    created_at timestamp(0) without time zone,
    updated_at timestamp(0) without time zone
);
CREATE SEQUENCE public.users_id_seq START WITH 1 INCREMENT BY 1 NO MINVALUE NO MAXVALUE CACHE 1;
ALTER SEQUENCE public.users_id_seq OWNED BY public.users.id;
ALTER TABLE ONLY public.entries ALTER COLUMN id SET DEFAULT nextval('public.entries_id_seq'::regclass);
ALTER TABLE ONLY public.migrations ALTER COLUMN id SET DEFAULT nextval('public.migrations_id_seq'::regclass);
ALTER TABLE ONLY public.tags ALTER COLUMN id SET DEFAULT nextval('public.tags_id_seq'::regclass);
ALTER TABLE ONLY public.users ALTER COLUMN id SET DEFAULT nextval('public.users_id_seq'::regclass);
INSERT INTO public.migrations VALUES (1, '2024_01_01_000000_make', 1);
SELECT pg_catalog.setval('public.migrations_id_seq', 1, true);
ALTER TABLE ONLY public.entries ADD CONSTRAINT entries_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.migrations ADD CONSTRAINT migrations_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.project_tag ADD CONSTRAINT project_tag_pkey PRIMARY KEY (project_id, tag_id);
ALTER TABLE ONLY public.projects ADD CONSTRAINT projects_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.tags ADD CONSTRAINT tags_name_unique UNIQUE (name);
ALTER TABLE ONLY public.tags ADD CONSTRAINT tags_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.users ADD CONSTRAINT users_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.users ADD CONSTRAINT users_username_unique UNIQUE (username);
ALTER TABLE ONLY public.entries ADD CONSTRAINT entries_project_id_foreign FOREIGN KEY (project_id) REFERENCES public.projects(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.project_tag ADD CONSTRAINT project_tag_project_id_foreign FOREIGN KEY (project_id) REFERENCES public.projects(id);
ALTER TABLE ONLY public.project_tag ADD CONSTRAINT project_tag_tag_id_foreign FOREIGN KEY (tag_id) REFERENCES public.tags(id);
ALTER TABLE ONLY public.projects ADD CONSTRAINT projects_owner_id_foreign FOREIGN KEY (owner_id) REFERENCES public.users(id);
