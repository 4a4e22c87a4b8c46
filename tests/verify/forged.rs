//! A row that was made to have the same hash as the row it replaces, by whoever may read the run's seed in the ledger.

use xxhash_rust::xxh3::xxh3_128_with_seed;

use crate::support::case::Case;

/// The constant from which XXH3 derives the key of each stripe, in hexadecimal.
const SECRET: &str = "\
    b8fe6c3923a44bbe7c01812cf721ad1cded46de9839097db7240a4a4b7b3671fcb79e64eccc0e578825ad07dccff7221\
    b8084674f743248ee03590e6813a264c3c2852bb91c300cb88d0658b1b532ea371644897a20df94e3819ef46a9deacd8\
    a8fa763fe39c343ff9dcbbc7c70b4f1d8a51e04bcdb45931c89f7ec9d9787364eac5ac8334d3ebc3c581a0fffa1363eb\
    170ddd51b7f0da49d316552629d4689e2b16be587d47a1fc8ff8b8d17ad031ce45cb3a8f95160428afd7fbcabb4b407e";

/// Bytes of a stripe: eight lanes of eight bytes.
const STRIPE: usize = 64;

/// The offset of the document in the wire image of its row, after an integer key.
const DOCUMENT: usize = 14;

fn word(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(bytes[at..at + 8].try_into().expect("eight bytes"))
}

/// The key of a lane in a stripe of the first block.
fn key(seed: u64, stripe: usize, lane: usize) -> u64 {
    let mut derived = [0u8; 192];
    for at in (0..192).step_by(8) {
        let bytes: Vec<u8> =
            (at..at + 8).map(|n| u8::from_str_radix(&SECRET[2 * n..2 * n + 2], 16).expect("hexadecimal")).collect();
        let (plain, is_even) = (word(&bytes, 0), at % 16 == 0);
        let sum = if is_even { plain.wrapping_add(seed) } else { plain.wrapping_sub(seed) };
        derived[at..at + 8].copy_from_slice(&sum.to_le_bytes());
    }
    word(&derived, 8 * stripe + 8 * lane)
}

/// The number that a stripe adds to one of the eight sums.
fn added(image: &[u8], seed: u64, stripe: usize, sum: usize) -> u64 {
    let data = |lane: usize| word(image, stripe * STRIPE + 8 * lane);
    let keyed = data(sum) ^ key(seed, stripe, sum);
    data(sum ^ 1).wrapping_add((keyed & 0xffff_ffff).wrapping_mul(keyed >> 32))
}

/// Replaces the stripe 1 of an image, and chooses the stripes 2 and 3 so that the hash stays.
fn forge(image: &[u8], seed: u64, text: &[u8]) -> Vec<u8> {
    let mut forged = image.to_vec();
    forged[STRIPE..STRIPE + text.len()].copy_from_slice(text);
    for sum in 0..8 {
        let before = (1..4).fold(0u64, |all, stripe| all.wrapping_add(added(image, seed, stripe, sum)));
        let lane = sum ^ 1;
        // Half of each word equals its key, so that the product is zero. The other half is free.
        let (second, third) = (key(seed, 2, lane) & 0xffff_ffff, key(seed, 3, lane) & !0xffff_ffff);
        let rest = before.wrapping_sub(added(&forged, seed, 1, sum)).wrapping_sub(second).wrapping_sub(third);
        let words = [(2, second | (rest & !0xffff_ffff)), (3, third | (rest & 0xffff_ffff))];
        for (stripe, chosen) in words {
            let at = stripe * STRIPE + 8 * lane;
            forged[at..at + 8].copy_from_slice(&chosen.to_le_bytes());
        }
    }
    forged
}

#[test]
fn a_row_forged_to_the_same_hash_is_found_by_a_later_verification() {
    let document = "pay 100 EUR to Ann; ".repeat(50);
    let source = format!(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, doc BLOB); INSERT INTO t VALUES (1, CAST('{document}' AS BLOB)), (2, x'00')"
    );
    let case = Case::new(&source, "CREATE TABLE t (id int PRIMARY KEY, doc bytea)", "[load.t]\n");
    case.exits(0, &["--yes"]);
    let seed = case.target.value("SELECT seed FROM migrate.run").parse::<i64>().expect("a seed").cast_unsigned();
    let mut image = b"\0\x02\0\0\0\x04\0\0\0\x01\0\0\x03\xe8".to_vec();
    image.extend_from_slice(document.as_bytes());
    let forged = forge(&image, seed, b"pay 999999 EUR to Mallory");
    assert_ne!(forged, image);
    assert_eq!(xxh3_128_with_seed(&forged, seed), xxh3_128_with_seed(&image, seed), "the forgery itself");
    let hex: String = forged[DOCUMENT..].iter().map(|byte| format!("{byte:02x}")).collect();
    case.target.run(&format!("UPDATE t SET doc = '\\x{hex}' WHERE id = 1"));
    let report = case.place.migrate(["verify", "--json", "-t", &case.target.url()]).exits(5).json();
    let checks = report["checks"].as_array().expect("checks");
    let content = checks.iter().find(|c| c["check"] == "content").expect("content");
    assert_eq!(content["verdict"], "Differs");
    assert_eq!(
        (&content["differences"][0]["key"], &content["differences"][0]["column"]),
        (&"id=1".into(), &"doc".into())
    );
}
