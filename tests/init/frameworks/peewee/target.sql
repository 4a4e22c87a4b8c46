-- Made by Peewee 4.5 on PostgreSQL.
CREATE TABLE public.entry (
    id integer NOT NULL,
    project_id integer NOT NULL,
    note text,
    starts time without time zone,
    at timestamp without time zone NOT NULL,
    photo bytea,
    weight double precision,
    serial bigint NOT NULL
);
CREATE SEQUENCE public.entry_id_seq AS integer START WITH 1 INCREMENT BY 1 NO MINVALUE NO MAXVALUE CACHE 1;
ALTER SEQUENCE public.entry_id_seq OWNED BY public.entry.id;
CREATE TABLE public.project (
    id integer NOT NULL,
    owner_id integer NOT NULL,
    code uuid NOT NULL,
    name character varying(80) NOT NULL,
    budget numeric(10,2),
    state character varying(8) NOT NULL,
    is_public boolean NOT NULL,
    options jsonb,
    due date,
    seen bigint,
    CONSTRAINT project_state_check CHECK (((state)::text = ANY ((ARRAY['open'::character varying, 'done'::character varying])::text[])))
);
CREATE SEQUENCE public.project_id_seq AS integer START WITH 1 INCREMENT BY 1 NO MINVALUE NO MAXVALUE CACHE 1;
ALTER SEQUENCE public.project_id_seq OWNED BY public.project.id;
CREATE TABLE public.project_tag_through (
    id integer NOT NULL,
    project_id integer NOT NULL,
    tag_id integer NOT NULL
);
CREATE SEQUENCE public.project_tag_through_id_seq AS integer START WITH 1 INCREMENT BY 1 NO MINVALUE NO MAXVALUE CACHE 1;
ALTER SEQUENCE public.project_tag_through_id_seq OWNED BY public.project_tag_through.id;
CREATE TABLE public.tag (
    id integer NOT NULL,
    name character varying(40) NOT NULL
);
CREATE SEQUENCE public.tag_id_seq AS integer START WITH 1 INCREMENT BY 1 NO MINVALUE NO MAXVALUE CACHE 1;
ALTER SEQUENCE public.tag_id_seq OWNED BY public.tag.id;
CREATE TABLE public.users (
    id integer NOT NULL,
    username character varying(40) NOT NULL,
    email character varying(255) NOT NULL,
    is_active boolean NOT NULL,
    created_at timestamp without time zone NOT NULL
);
CREATE SEQUENCE public.users_id_seq AS integer START WITH 1 INCREMENT BY 1 NO MINVALUE NO MAXVALUE CACHE 1;
ALTER SEQUENCE public.users_id_seq OWNED BY public.users.id;
ALTER TABLE ONLY public.entry ALTER COLUMN id SET DEFAULT nextval('public.entry_id_seq'::regclass);
ALTER TABLE ONLY public.project ALTER COLUMN id SET DEFAULT nextval('public.project_id_seq'::regclass);
ALTER TABLE ONLY public.project_tag_through ALTER COLUMN id SET DEFAULT nextval('public.project_tag_through_id_seq'::regclass);
ALTER TABLE ONLY public.tag ALTER COLUMN id SET DEFAULT nextval('public.tag_id_seq'::regclass);
ALTER TABLE ONLY public.users ALTER COLUMN id SET DEFAULT nextval('public.users_id_seq'::regclass);
ALTER TABLE ONLY public.entry ADD CONSTRAINT entry_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.project ADD CONSTRAINT project_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.project_tag_through ADD CONSTRAINT project_tag_through_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.tag ADD CONSTRAINT tag_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.users ADD CONSTRAINT users_pkey PRIMARY KEY (id);
CREATE INDEX entry_project_id ON public.entry USING btree (project_id);
CREATE UNIQUE INDEX project_code ON public.project USING btree (code);
CREATE INDEX project_options ON public.project USING gin (options);
CREATE INDEX project_owner_id ON public.project USING btree (owner_id);
CREATE INDEX projecttagthrough_project_id ON public.project_tag_through USING btree (project_id);
CREATE UNIQUE INDEX projecttagthrough_project_id_tag_id ON public.project_tag_through USING btree (project_id, tag_id);
CREATE INDEX projecttagthrough_tag_id ON public.project_tag_through USING btree (tag_id);
CREATE UNIQUE INDEX tag_name ON public.tag USING btree (name);
CREATE UNIQUE INDEX users_username ON public.users USING btree (username);
ALTER TABLE ONLY public.entry ADD CONSTRAINT entry_project_id_fkey FOREIGN KEY (project_id) REFERENCES public.project(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.project ADD CONSTRAINT project_owner_id_fkey FOREIGN KEY (owner_id) REFERENCES public.users(id);
ALTER TABLE ONLY public.project_tag_through ADD CONSTRAINT project_tag_through_project_id_fkey FOREIGN KEY (project_id) REFERENCES public.project(id);
ALTER TABLE ONLY public.project_tag_through ADD CONSTRAINT project_tag_through_tag_id_fkey FOREIGN KEY (tag_id) REFERENCES public.tag(id);
