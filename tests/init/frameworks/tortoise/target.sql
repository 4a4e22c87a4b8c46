-- Made by tortoise-orm 1.1.9 on PostgreSQL.
CREATE TABLE public.entry (
    id bigint NOT NULL,
    note text,
    at timestamp with time zone NOT NULL,
    spent bigint,
    photo bytea,
    weight double precision,
    serial bigint NOT NULL,
    project_id uuid NOT NULL
);
CREATE SEQUENCE public.entry_id_seq START WITH 1 INCREMENT BY 1 NO MINVALUE NO MAXVALUE CACHE 1;
ALTER SEQUENCE public.entry_id_seq OWNED BY public.entry.id;
CREATE TABLE public.project (
    id uuid NOT NULL,
    name character varying(80) NOT NULL,
    budget numeric(10,2),
    state character varying(4) NOT NULL,
    is_public boolean NOT NULL,
    options jsonb,
    due date,
    owner_id integer NOT NULL
);
CREATE TABLE public.project_tag (
    project_id uuid NOT NULL,
    tag_id integer NOT NULL
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
    email character varying(200) NOT NULL,
    is_active boolean NOT NULL,
    created_at timestamp with time zone NOT NULL
);
CREATE SEQUENCE public.users_id_seq AS integer START WITH 1 INCREMENT BY 1 NO MINVALUE NO MAXVALUE CACHE 1;
ALTER SEQUENCE public.users_id_seq OWNED BY public.users.id;
ALTER TABLE ONLY public.entry ALTER COLUMN id SET DEFAULT nextval('public.entry_id_seq'::regclass);
ALTER TABLE ONLY public.tag ALTER COLUMN id SET DEFAULT nextval('public.tag_id_seq'::regclass);
ALTER TABLE ONLY public.users ALTER COLUMN id SET DEFAULT nextval('public.users_id_seq'::regclass);
ALTER TABLE ONLY public.entry ADD CONSTRAINT entry_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.project ADD CONSTRAINT project_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.tag ADD CONSTRAINT tag_name_key UNIQUE (name);
ALTER TABLE ONLY public.tag ADD CONSTRAINT tag_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.users ADD CONSTRAINT users_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.users ADD CONSTRAINT users_username_key UNIQUE (username);
CREATE UNIQUE INDEX uidx_project_tag_project_88a99b ON public.project_tag USING btree (project_id, tag_id);
ALTER TABLE ONLY public.entry ADD CONSTRAINT entry_project_id_fkey FOREIGN KEY (project_id) REFERENCES public.project(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.project ADD CONSTRAINT project_owner_id_fkey FOREIGN KEY (owner_id) REFERENCES public.users(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.project_tag ADD CONSTRAINT project_tag_project_id_fkey FOREIGN KEY (project_id) REFERENCES public.project(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.project_tag ADD CONSTRAINT project_tag_tag_id_fkey FOREIGN KEY (tag_id) REFERENCES public.tag(id) ON DELETE CASCADE;
