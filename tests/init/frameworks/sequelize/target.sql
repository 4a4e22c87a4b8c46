-- Made by Sequelize 6.37 on PostgreSQL.
CREATE TYPE public."enum_Projects_state" AS ENUM ( 'open', 'done' );
CREATE TABLE public."Entries" (
    id integer NOT NULL,
    "projectId" integer NOT NULL,
    note text,
    starts time without time zone,
    at timestamp with time zone NOT NULL,
    serial bigint,
    weight double precision,
    photo bytea,
    "createdAt" timestamp with time zone NOT NULL,
    "updatedAt" timestamp with time zone NOT NULL
);
CREATE SEQUENCE public."Entries_id_seq" AS integer START WITH 1 INCREMENT BY 1 NO MINVALUE NO MAXVALUE CACHE 1;
ALTER SEQUENCE public."Entries_id_seq" OWNED BY public."Entries".id;
CREATE TABLE public."ProjectTags" (
    "ProjectId" integer NOT NULL,
    "TagId" integer NOT NULL,
    "createdAt" timestamp with time zone NOT NULL,
    "updatedAt" timestamp with time zone NOT NULL
);
CREATE TABLE public."Projects" (
    id integer NOT NULL,
    "ownerId" integer NOT NULL,
    code uuid NOT NULL,
    name character varying(80) NOT NULL,
    budget numeric(10,2),
    state public."enum_Projects_state" DEFAULT 'open'::public."enum_Projects_state",
    "isPublic" boolean DEFAULT false,
    options json,
    due date,
    "createdAt" timestamp with time zone NOT NULL,
    "updatedAt" timestamp with time zone NOT NULL
);
CREATE SEQUENCE public."Projects_id_seq" AS integer START WITH 1 INCREMENT BY 1 NO MINVALUE NO MAXVALUE CACHE 1;
ALTER SEQUENCE public."Projects_id_seq" OWNED BY public."Projects".id;
CREATE TABLE public."SequelizeMeta" (
    name character varying(255) NOT NULL
);
CREATE TABLE public."Tags" (
    id integer NOT NULL,
    name character varying(40) NOT NULL,
    "createdAt" timestamp with time zone NOT NULL,
    "updatedAt" timestamp with time zone NOT NULL
);
CREATE SEQUENCE public."Tags_id_seq" AS integer START WITH 1 INCREMENT BY 1 NO MINVALUE NO MAXVALUE CACHE 1;
ALTER SEQUENCE public."Tags_id_seq" OWNED BY public."Tags".id;
CREATE TABLE public."Users" (
    id integer NOT NULL,
    username character varying(40) NOT NULL,
    email character varying(255),
    "isActive" boolean DEFAULT true NOT NULL,
    "createdAt" timestamp with time zone NOT NULL,
    "updatedAt" timestamp with time zone NOT NULL
);
CREATE SEQUENCE public."Users_id_seq" AS integer START WITH 1 INCREMENT BY 1 NO MINVALUE NO MAXVALUE CACHE 1;
ALTER SEQUENCE public."Users_id_seq" OWNED BY public."Users".id;
ALTER TABLE ONLY public."Entries" ALTER COLUMN id SET DEFAULT nextval('public."Entries_id_seq"'::regclass);
ALTER TABLE ONLY public."Projects" ALTER COLUMN id SET DEFAULT nextval('public."Projects_id_seq"'::regclass);
ALTER TABLE ONLY public."Tags" ALTER COLUMN id SET DEFAULT nextval('public."Tags_id_seq"'::regclass);
ALTER TABLE ONLY public."Users" ALTER COLUMN id SET DEFAULT nextval('public."Users_id_seq"'::regclass);
INSERT INTO public."SequelizeMeta" VALUES ('20240101000000-first.js');
ALTER TABLE ONLY public."Entries" ADD CONSTRAINT "Entries_pkey" PRIMARY KEY (id);
ALTER TABLE ONLY public."ProjectTags" ADD CONSTRAINT "ProjectTags_pkey" PRIMARY KEY ("ProjectId", "TagId");
ALTER TABLE ONLY public."Projects" ADD CONSTRAINT "Projects_pkey" PRIMARY KEY (id);
ALTER TABLE ONLY public."SequelizeMeta" ADD CONSTRAINT "SequelizeMeta_pkey" PRIMARY KEY (name);
ALTER TABLE ONLY public."Tags" ADD CONSTRAINT "Tags_name_key" UNIQUE (name);
ALTER TABLE ONLY public."Tags" ADD CONSTRAINT "Tags_pkey" PRIMARY KEY (id);
ALTER TABLE ONLY public."Users" ADD CONSTRAINT "Users_pkey" PRIMARY KEY (id);
ALTER TABLE ONLY public."Users" ADD CONSTRAINT "Users_username_key" UNIQUE (username);
ALTER TABLE ONLY public."Entries" ADD CONSTRAINT "Entries_projectId_fkey" FOREIGN KEY ("projectId") REFERENCES public."Projects"(id) ON DELETE CASCADE;
ALTER TABLE ONLY public."ProjectTags" ADD CONSTRAINT "ProjectTags_ProjectId_fkey" FOREIGN KEY ("ProjectId") REFERENCES public."Projects"(id) ON DELETE CASCADE;
ALTER TABLE ONLY public."ProjectTags" ADD CONSTRAINT "ProjectTags_TagId_fkey" FOREIGN KEY ("TagId") REFERENCES public."Tags"(id) ON DELETE CASCADE;
ALTER TABLE ONLY public."Projects" ADD CONSTRAINT "Projects_ownerId_fkey" FOREIGN KEY ("ownerId") REFERENCES public."Users"(id) ON DELETE CASCADE;
