-- Made by TypeORM 1.1 on PostgreSQL.
CREATE TYPE public.project_state_enum AS ENUM ( 'open', 'done' );
CREATE TABLE public.entry (
    id integer NOT NULL,
    note text,
    starts time without time zone,
    at timestamp with time zone NOT NULL,
    serial bigint,
    weight double precision,
    photo bytea,
    "projectId" uuid NOT NULL
);
CREATE SEQUENCE public.entry_id_seq AS integer START WITH 1 INCREMENT BY 1 NO MINVALUE NO MAXVALUE CACHE 1;
ALTER SEQUENCE public.entry_id_seq OWNED BY public.entry.id;
CREATE TABLE public.migrations (
    id integer NOT NULL,
    "timestamp" bigint NOT NULL,
    name character varying NOT NULL
);
CREATE SEQUENCE public.migrations_id_seq AS integer START WITH 1 INCREMENT BY 1 NO MINVALUE NO MAXVALUE CACHE 1;
ALTER SEQUENCE public.migrations_id_seq OWNED BY public.migrations.id;
CREATE TABLE public.project (
    id uuid DEFAULT gen_random_uuid() NOT NULL,
    name character varying(80) NOT NULL,
    budget numeric(10,2),
    state public.project_state_enum DEFAULT 'open'::public.project_state_enum NOT NULL,
    "isPublic" boolean DEFAULT false NOT NULL,
    options text,
    labels text,
    due date,
    "ownerId" integer NOT NULL
);
CREATE TABLE public.project_tags_tag (
    "projectId" uuid NOT NULL,
    "tagId" integer NOT NULL
);
CREATE TABLE public.tag (
    id integer NOT NULL,
    name character varying(40) NOT NULL
);
CREATE SEQUENCE public.tag_id_seq AS integer START WITH 1 INCREMENT BY 1 NO MINVALUE NO MAXVALUE CACHE 1;
ALTER SEQUENCE public.tag_id_seq OWNED BY public.tag.id;
CREATE TABLE public."user" (
    id integer NOT NULL,
    username character varying(40) NOT NULL,
    email character varying NOT NULL,
    "isActive" boolean DEFAULT true NOT NULL,
    "createdAt" timestamp with time zone DEFAULT now() NOT NULL
);
CREATE SEQUENCE public.user_id_seq AS integer START WITH 1 INCREMENT BY 1 NO MINVALUE NO MAXVALUE CACHE 1;
ALTER SEQUENCE public.user_id_seq OWNED BY public."user".id;
ALTER TABLE ONLY public.entry ALTER COLUMN id SET DEFAULT nextval('public.entry_id_seq'::regclass);
ALTER TABLE ONLY public.migrations ALTER COLUMN id SET DEFAULT nextval('public.migrations_id_seq'::regclass);
ALTER TABLE ONLY public.tag ALTER COLUMN id SET DEFAULT nextval('public.tag_id_seq'::regclass);
ALTER TABLE ONLY public."user" ALTER COLUMN id SET DEFAULT nextval('public.user_id_seq'::regclass);
INSERT INTO public.migrations VALUES (1, 1700000000000, 'First1700000000000');
SELECT pg_catalog.setval('public.migrations_id_seq', 1, true);
ALTER TABLE ONLY public.project_tags_tag ADD CONSTRAINT "PK_3215f280f961a2c7bea05565512" PRIMARY KEY ("projectId", "tagId");
ALTER TABLE ONLY public.project ADD CONSTRAINT "PK_4d68b1358bb5b766d3e78f32f57" PRIMARY KEY (id);
ALTER TABLE ONLY public.migrations ADD CONSTRAINT "PK_8c82d7f526340ab734260ea46be" PRIMARY KEY (id);
ALTER TABLE ONLY public.tag ADD CONSTRAINT "PK_8e4052373c579afc1471f526760" PRIMARY KEY (id);
ALTER TABLE ONLY public.entry ADD CONSTRAINT "PK_a58c675c4c129a8e0f63d3676d6" PRIMARY KEY (id);
ALTER TABLE ONLY public."user" ADD CONSTRAINT "PK_cace4a159ff9f2512dd42373760" PRIMARY KEY (id);
ALTER TABLE ONLY public.tag ADD CONSTRAINT "UQ_6a9775008add570dc3e5a0bab7b" UNIQUE (name);
ALTER TABLE ONLY public."user" ADD CONSTRAINT "UQ_78a916df40e02a9deb1c4b75edb" UNIQUE (username);
CREATE INDEX "IDX_041c5496afa04d41bbafb5c98f" ON public.project_tags_tag USING btree ("tagId");
CREATE INDEX "IDX_5438ba7df067895391b6f9f415" ON public.project_tags_tag USING btree ("projectId");
ALTER TABLE ONLY public.project_tags_tag ADD CONSTRAINT "FK_041c5496afa04d41bbafb5c98f6" FOREIGN KEY ("tagId") REFERENCES public.tag(id) ON UPDATE CASCADE ON DELETE CASCADE;
ALTER TABLE ONLY public.project_tags_tag ADD CONSTRAINT "FK_5438ba7df067895391b6f9f4157" FOREIGN KEY ("projectId") REFERENCES public.project(id) ON UPDATE CASCADE ON DELETE CASCADE;
ALTER TABLE ONLY public.entry ADD CONSTRAINT "FK_7dc56c6a348f5b7ff42f44dae54" FOREIGN KEY ("projectId") REFERENCES public.project(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.project ADD CONSTRAINT "FK_9884b2ee80eb70b7db4f12e8aed" FOREIGN KEY ("ownerId") REFERENCES public."user"(id);
