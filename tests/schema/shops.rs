//! Two whole applications, a music shop and a trading company: their tables are proved, filled, and used as the applications do.

use super::Case;
use crate::support::postgres::version;
use crate::support::sqlite;

/// A music shop: names in capitals, lengths that SQLite does not enforce, references with actions.
const MUSIC: &str = "
CREATE TABLE [Artist] ([ArtistId] INTEGER NOT NULL, [Name] NVARCHAR(120), CONSTRAINT [PK_Artist] PRIMARY KEY ([ArtistId]));
CREATE TABLE [Album] ([AlbumId] INTEGER NOT NULL PRIMARY KEY, [Title] NVARCHAR(160) NOT NULL, [ArtistId] INTEGER NOT NULL,
    FOREIGN KEY ([ArtistId]) REFERENCES [Artist] ([ArtistId]) ON DELETE NO ACTION ON UPDATE NO ACTION);
CREATE TABLE [Track] ([TrackId] INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL, [Name] NVARCHAR(200) NOT NULL, [AlbumId] INTEGER,
    [Milliseconds] INTEGER NOT NULL CHECK ([Milliseconds] > 0), [Bytes] INTEGER, [UnitPrice] NUMERIC(10,2) NOT NULL DEFAULT 0.99,
    [Minutes] AS ([Milliseconds] / 60000), FOREIGN KEY ([AlbumId]) REFERENCES \"Album\" ([AlbumId]) ON DELETE SET NULL);
CREATE TABLE [PlaylistTrack] ([Playlist] TEXT COLLATE NOCASE NOT NULL, [TrackId] INTEGER NOT NULL REFERENCES [Track],
    PRIMARY KEY ([Playlist], [TrackId])) WITHOUT ROWID;
CREATE INDEX [IFK_Album] ON [Album] ([ArtistId]);
CREATE INDEX [Long] ON [Track] (length([Name])) WHERE [Milliseconds] > 300000 AND [Name] NOT LIKE '%(live)%';
CREATE VIEW [Titles] AS SELECT Title FROM Album;
INSERT INTO Artist VALUES (1, 'AC/DC'), (2, 'Björk');
INSERT INTO Album VALUES (1, 'Rock', 1), (4, 'Début', 2);
INSERT INTO Track VALUES (1, 'One', 1, 343719, 11170334, 0.99), (7, 'Größe (Live)', 4, 310000, NULL, 1.99), (9, 'É', NULL, 1, 1, 0.99);
INSERT INTO PlaylistTrack VALUES ('Music', 1), ('music2', 7);";

/// A trading company: names with blanks, several CHECKs, defaults, blobs, dates.
const TRADE: &str = "
CREATE TABLE Suppliers (SupplierID INTEGER PRIMARY KEY AUTOINCREMENT, CompanyName TEXT NOT NULL UNIQUE COLLATE NOCASE,
    Country TEXT DEFAULT 'Germany', Picture BLOB, Since DATE DEFAULT (date('now')), Active BOOLEAN NOT NULL DEFAULT 1);
CREATE TABLE Products (ProductID INTEGER PRIMARY KEY, ProductName TEXT NOT NULL, SupplierID INTEGER REFERENCES Suppliers ON DELETE CASCADE,
    UnitPrice NUMERIC DEFAULT 0, UnitsInStock INTEGER DEFAULT 0, Weight REAL, Discontinued TEXT NOT NULL DEFAULT '0',
    CHECK (UnitPrice >= 0), CHECK (UnitsInStock >= 0 AND UnitsInStock <= 1000), CHECK (Discontinued IN ('0', '1')),
    CHECK (Weight IS NULL OR Weight * 2.0 > 0.1));
CREATE TABLE [Order Details] (OrderID INTEGER NOT NULL REFERENCES Orders, ProductID INTEGER NOT NULL REFERENCES Products, UnitPrice NUMERIC NOT NULL DEFAULT 0,
    Quantity INTEGER NOT NULL DEFAULT 1, Discount REAL NOT NULL DEFAULT 0, PRIMARY KEY (OrderID, ProductID),
    CHECK (Discount >= 0.0 AND Discount <= 1.0), CHECK (Quantity > 0));
CREATE TABLE Orders (OrderID INTEGER PRIMARY KEY, OrderDate DATETIME DEFAULT CURRENT_TIMESTAMP, ShipName TEXT, Key TEXT DEFAULT (lower(hex(randomblob(8)))));
CREATE UNIQUE INDEX [open order] ON Orders (ShipName) WHERE OrderDate IS NULL;
CREATE TRIGGER stamp AFTER UPDATE ON Orders BEGIN UPDATE Orders SET OrderDate = CURRENT_TIMESTAMP WHERE OrderID = NEW.OrderID; END;
INSERT INTO Suppliers (CompanyName, Picture, Since) VALUES ('Exotic', x'00ff', '1996-07-04'), ('Tokyo', NULL, NULL);
INSERT INTO Products VALUES (1, 'Chai', 1, 18, 39, 0.5, '0'), (2, 'Chang', 2, 19.25, 0, NULL, '1');
INSERT INTO Orders VALUES (10248, '1996-07-04 00:00:00', 'Vins', 'a1'), (10249, NULL, 'Toms', 'b2');
INSERT INTO [Order Details] VALUES (10248, 1, 14, 12, 0.0), (10249, 2, 18.6, 9, 0.15);";

/// Makes, proves and fills the tables of a shop for two owners, one file after the other.
#[track_caller]
fn filled(source: &str, code: i32) -> Case {
    let case = Case::new(source);
    sqlite::file(&case.place, "second.db", source);
    let args = ["--prove", "--owner", "users.username=ann", "-o", "schema.sql", "--mapping", "migrate.toml"];
    case.command(&args).exits(code).says(&["Proved: "]);
    case.target.run(&case.place.read("schema.sql"));
    let mapping = case.place.read("migrate.toml").replace("zone = { \"?\"", "zone = \"UTC\" # { \"?\"");
    let second = mapping.replace("app.db", "second.db").replace("\"app\"", "\"second\"").replace("\"ann\"", "\"bob\"");
    for (name, text) in [("migrate.toml", mapping), ("second.toml", second)] {
        std::fs::write(case.place.path(name), text).expect("a mapping");
        let run = |args: &[&str]| case.place.migrate(args).args(["-m", name, "-t", &case.target.url()]);
        run(&["--yes"]).exits(0).says(&["Done and verified"]);
        run(&["verify"]).exits(0);
    }
    case
}

#[test]
fn a_music_shop_of_two_owners_arrives_and_keeps_working() {
    let case = filled(MUSIC, 0);
    case.target.run(
        "INSERT INTO \"Track\" (user_id, \"Name\", \"Milliseconds\") VALUES (2, 'New', 120000);
         UPDATE \"Track\" SET \"Name\" = 'x' WHERE \"TrackId\" = 1",
    );
    let last = "SELECT concat_ws(' ', \"UnitPrice\", \"Minutes\", \"TrackId\" = (SELECT max(\"TrackId\") FROM \"Track\")) \
                FROM \"Track\" WHERE \"Name\" = 'New'";
    assert_eq!(case.target.value(last), "0.99 2 t");
    let tracks = "SELECT string_agg(concat_ws(' ', username, \"Minutes\", \"Title\"), ', ' ORDER BY t.user_id, \"TrackId\") \
                  FROM \"Track\" t JOIN users u ON u.id = t.user_id LEFT JOIN \"Album\" a USING (\"AlbumId\")";
    let expected = "ann 5 Rock, ann 5 Début, ann 0, bob 5 Rock, bob 5 Début, bob 0, bob 2";
    assert_eq!(case.target.value(tracks), expected);
}

#[test]
fn a_trading_company_of_two_owners_arrives_and_keeps_working() {
    if version() < 130_000 {
        // The random default needs gen_random_uuid().
        let refused = "the tables need PostgreSQL 13, and the server is PostgreSQL 12";
        Case::new(TRADE).command(&["--prove"]).exits(3).says(&[refused]);
        return;
    }
    let case = filled(TRADE, 0);
    case.target.run(
        "INSERT INTO \"Suppliers\" (user_id, \"CompanyName\") VALUES (1, 'New');
         INSERT INTO \"Orders\" (user_id, \"ShipName\") VALUES (1, 'Vins');
         UPDATE \"Orders\" SET \"ShipName\" = 'y' WHERE \"ShipName\" = 'Toms' AND user_id = 2",
    );
    let made = "SELECT concat_ws(' ', \"Country\", \"Since\" = current_date, \"Active\") FROM \"Suppliers\" WHERE \"CompanyName\" = 'New'";
    assert_eq!(case.target.value(made), "Germany t t");
    let orders = "SELECT string_agg(concat_ws(' ', user_id, \"OrderDate\" > '2020-01-01', length(\"Key\")), ', ' \
                         ORDER BY user_id, \"OrderID\") FROM \"Orders\"";
    assert_eq!(case.target.value(orders), "1 f 2, 1 2, 1 t 16, 2 f 2, 2 t 2");
    let refused = [
        "INSERT INTO \"Suppliers\" (user_id, \"CompanyName\") VALUES (1, 'EXOTIC')",
        "INSERT INTO \"Order Details\" (user_id, \"OrderID\", \"ProductID\", \"Quantity\") VALUES (1, 1, 1, 0)",
    ];
    for insert in refused {
        assert!(case.target.client().batch_execute(insert).is_err(), "{insert}");
    }
}
