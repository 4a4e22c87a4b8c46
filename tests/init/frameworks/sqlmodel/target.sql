-- Made by SQLModel 0.0.50 on PostgreSQL.
CREATE TYPE public.state AS ENUM ( 'open', 'done' );
CREATE TABLE public.entry (
    id integer NOT NULL,
    project_id uuid NOT NULL,
    note character varying,
    starts time without time zone,
    at timestamp with time zone NOT NULL,
    spent interval,
    photo bytea,
    weight double precision,
    serial integer NOT NULL
);
CREATE SEQUENCE public.entry_id_seq AS integer START WITH 1 INCREMENT BY 1 NO MINVALUE NO MAXVALUE CACHE 1;
ALTER SEQUENCE public.entry_id_seq OWNED BY public.entry.id;
CREATE TABLE public.project (
    id uuid NOT NULL,
    owner_id integer NOT NULL,
    name character varying(80) NOT NULL,
    budget numeric(10,2),
    state public.state NOT NULL,
    is_public boolean NOT NULL,
    options json,
    due date
);
CREATE TABLE public.projecttag (
    project_id uuid NOT NULL,
    tag_id integer NOT NULL
);
CREATE TABLE public.tag (
    id integer NOT NULL,
    name character varying NOT NULL
);
CREATE SEQUENCE public.tag_id_seq AS integer START WITH 1 INCREMENT BY 1 NO MINVALUE NO MAXVALUE CACHE 1;
ALTER SEQUENCE public.tag_id_seq OWNED BY public.tag.id;
CREATE TABLE public."user" (
    id integer NOT NULL,
    username character varying NOT NULL,
    email character varying NOT NULL,
    is_active boolean NOT NULL,
    created_at timestamp with time zone NOT NULL
);
CREATE SEQUENCE public.user_id_seq AS integer START WITH 1 INCREMENT BY 1 NO MINVALUE NO MAXVALUE CACHE 1;
ALTER SEQUENCE public.user_id_seq OWNED BY public."user".id;
ALTER TABLE ONLY public.entry ALTER COLUMN id SET DEFAULT nextval('public.entry_id_seq'::regclass);
ALTER TABLE ONLY public.tag ALTER COLUMN id SET DEFAULT nextval('public.tag_id_seq'::regclass);
ALTER TABLE ONLY public."user" ALTER COLUMN id SET DEFAULT nextval('public.user_id_seq'::regclass);
ALTER TABLE ONLY public.entry ADD CONSTRAINT entry_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.project ADD CONSTRAINT project_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.projecttag ADD CONSTRAINT projecttag_pkey PRIMARY KEY (project_id, tag_id);
ALTER TABLE ONLY public.tag ADD CONSTRAINT tag_name_key UNIQUE (name);
ALTER TABLE ONLY public.tag ADD CONSTRAINT tag_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public."user" ADD CONSTRAINT user_pkey PRIMARY KEY (id);
CREATE UNIQUE INDEX ix_user_username ON public."user" USING btree (username);
ALTER TABLE ONLY public.entry ADD CONSTRAINT entry_project_id_fkey FOREIGN KEY (project_id) REFERENCES public.project(id);
ALTER TABLE ONLY public.project ADD CONSTRAINT project_owner_id_fkey FOREIGN KEY (owner_id) REFERENCES public."user"(id);
ALTER TABLE ONLY public.projecttag ADD CONSTRAINT projecttag_project_id_fkey FOREIGN KEY (project_id) REFERENCES public.project(id);
ALTER TABLE ONLY public.projecttag ADD CONSTRAINT projecttag_tag_id_fkey FOREIGN KEY (tag_id) REFERENCES public.tag(id);
