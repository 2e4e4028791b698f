//! What each entity finds, and what it leaves alone.

use proptest::prelude::*;
use regex::Regex;

use super::{Entity, detectors};
use crate::secrets::tests::values;

fn found(entity: Entity, text: &str) -> Vec<&str> {
    let mut found: Vec<&str> = detectors(&[entity])
        .iter()
        .flat_map(|detector| values(detector, &Regex::new(&detector.pattern).expect("a pattern"), text))
        .collect();
    found.sort_by_key(|value| value.as_ptr());
    found.dedup();
    found
}

fn check(entity: Entity, table: &[(&str, &[&str])]) {
    for (text, expected) in table {
        assert_eq!(found(entity, text), *expected, "{entity} in {text:?}");
    }
}

#[test]
fn e_mail_addresses() {
    check(
        Entity::Email,
        &[
            (
                "Write to first.last+tag@mail.example.co.uk.",
                &["first.last+tag@mail.example.co.uk"],
            ),
            ("<a_b%c-d@example.com>, x@y.zz", &["a_b%c-d@example.com", "x@y.zz"]),
            ("user@localhost, @scope/package@1.2.3, a@b.c", &[]),
            ("git@github.com:owner/repository", &["git@github.com"]),
        ],
    );
}

#[test]
fn telephone_numbers() {
    check(
        Entity::Phone,
        &[
            (
                "Call 206-555-0100 or (425) 555-0123.",
                &["206-555-0100", "(425) 555-0123"],
            ),
            (
                "206.555.0100, 206 555 0100, 555 123 4567",
                &["206.555.0100", "206 555 0100", "555 123 4567"],
            ),
            (
                "+1 206 555 0100, +1-206-555-0100, +12065550100",
                &["+1 206 555 0100", "+1-206-555-0100", "+12065550100"],
            ),
            (
                "+1 (206) 555-0100, 1-800-555-0199",
                &["+1 (206) 555-0100", "1-800-555-0199"],
            ),
            (
                "206-555-0100 ext. 12, +44 20 7946 0958 x3",
                &["206-555-0100 ext. 12", "+44 20 7946 0958 x3"],
            ),
            (
                "+44 20 7946 0958, +49 (0)30 1234567, +33 1 23 45 67 89",
                &["+44 20 7946 0958", "+49 (0)30 1234567", "+33 1 23 45 67 89"],
            ),
            (
                "020 7946 0958, (030) 1234567, 01 23 45 67 89, 030/12345678",
                &["020 7946 0958", "(030) 1234567", "01 23 45 67 89"],
            ),
            (
                "Phone: 2065550100, tel. is 555 0100; \"phone_number\": \"5550100\"",
                &["2065550100", "555 0100", "5550100"],
            ),
        ],
    );
}

#[test]
fn a_telephone_number_ends_in_front_of_a_date() {
    check(
        Entity::Phone,
        &[
            ("+1 206 555 0100 2024-01-01", &["+1 206 555 0100"]),
            ("206-555-0100 2024-01-01", &["206-555-0100"]),
            ("+33 1 23 45 67 89 2024-01-01", &["+33 1 23 45 67 89"]),
            ("+44 20 7946 0958, 01/02/2024", &["+44 20 7946 0958"]),
            ("01.02.2024 020 7946 0958", &["020 7946 0958"]),
        ],
    );
}

#[test]
fn other_digits_are_no_telephone_numbers() {
    for text in [
        "999.1.1.1 01.2.3.4",
        "192.168.100.200 and 010.020.030.040",
        "2024-01-01 12:30:45 to 2024-01-02 13:00",
        "20240101-123456, 1700000000.123, 3.14159265358979",
        "01.02.2024 10:30, 01-15-2024",
        "ISBN 978-3-16-148410-0 or 0-306-40615-2",
        "10 20 30 40 50 60, 1200 3400 5600 7800, 1 000 000 000",
        "00 00 00 00 00 00 00 00 ff, 00 00 00 00 00 ff, 01 02 03 04 05 06 07",
        "01.25 03.50 04.75 10.00",
        "4111 1111 1111 1111, 123-45-6789",
        "123e4567-e89b-12d3-a456-426614174000",
        "v1.2.3-2024.01.15, 1.2.3.4.5.6.7.8.9.10",
        "A+1234567890B, x206-555-0100",
        "+999999-12-31 23:59, (0000-01-01 23:59), 17179869184",
        "hotel: 12345678, mobile devices 1200 3400",
    ] {
        assert_eq!(found(Entity::Phone, text), [""; 0], "{text:?}");
    }
}

#[test]
fn credit_cards() {
    check(
        Entity::CreditCard,
        &[
            (
                "4111111111111111, 4111 1111 1111 1111; 4111-1111-1111-1111.",
                &["4111111111111111", "4111 1111 1111 1111", "4111-1111-1111-1111"],
            ),
            (
                "378282246310005, 3782 822463 10005, 6011111111111117",
                &["378282246310005", "3782 822463 10005", "6011111111111117"],
            ),
            ("41 1111 1111 111111", &["41 1111 1111 111111"]),
            // With a security code behind, an amount before, and letters beside it.
            ("4111 1111 1111 1111 123", &["4111 1111 1111 1111"]),
            ("12 4111 1111 1111 1111", &["4111 1111 1111 1111"]),
            ("card4111111111111111x", &["4111111111111111"]),
            // A wrong digit, a timestamp, too long, a decimal.
            (
                "4111111111111112, 2619420486644, 2015 2016 2017 2018, 41111111111111111111",
                &[],
            ),
            ("0.4111111111111111, 12.4111111111111111", &[]),
        ],
    );
}

#[test]
fn ip_addresses() {
    check(
        Entity::IpAddress,
        &[
            (
                "10.0.0.1, 192.168.1.254:8080 and 10.1.0.0/16.",
                &["10.0.0.1", "192.168.1.254", "10.1.0.0"],
            ),
            ("256.1.1.1, 01.2.3.4, 1.2.3, v1.2.3.4, 1.3.6.1.4.1.311", &[]),
            ("999.1.1.1 8.8.8.8", &["8.8.8.8"]),
        ],
    );
    check(
        Entity::Ipv6,
        &[
            (
                "2001:db8::8a2e:370:7334 and fe80::1: unreachable",
                &["2001:db8::8a2e:370:7334", "fe80::1"],
            ),
            (
                "[2001:0db8:0:0:0:0:0:1]:8080, fe80::1%eth0",
                &["2001:0db8:0:0:0:0:0:1", "fe80::1"],
            ),
            ("::ffff:192.0.2.1, 2001:db8::/32", &["::ffff:192.0.2.1", "2001:db8::"]),
            (
                "::1, list[::2], list[1::2], a::b2, std::net::ipv6, 12:30:45, 00:1a:2b:3c:4d:5e",
                &[],
            ),
        ],
    );
}

#[test]
fn bank_accounts() {
    check(
        Entity::Iban,
        &[
            (
                "DE44500105175407324931 or GB29 NWBK 6016 1331 9268 19.",
                &["DE44500105175407324931", "GB29 NWBK 6016 1331 9268 19"],
            ),
            // Wrong check digits, wrong length, no country.
            (
                "DE45500105175407324931, DE4450010517540732493, ZZ44500105175407324931",
                &[],
            ),
        ],
    );
}

#[test]
fn social_security_numbers() {
    check(
        Entity::UsSsn,
        &[
            ("123-45-6789, 123 45 6789", &["123-45-6789", "123 45 6789"]),
            ("000-45-6789, 666-45-6789, 900-45-6789, 123-00-6789, 123-45-0000", &[]),
            (
                "123456789, 123-45 6789, 1-123-45-6789, 123-45-6789-0, 123-45-67890",
                &[],
            ),
        ],
    );
}

#[test]
fn crypto_addresses() {
    check(
        Entity::CryptoAddress,
        &[
            (
                "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa, 3J98t1WpEZ73CNmQviecrnyiWrnqRhWNLy",
                &[
                    "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa",
                    "3J98t1WpEZ73CNmQviecrnyiWrnqRhWNLy",
                ],
            ),
            (
                "bc1qar0srrr7xfkvy5l643lydnw9re59gtzzwf5mdq",
                &["bc1qar0srrr7xfkvy5l643lydnw9re59gtzzwf5mdq"],
            ),
            (
                "BC1QW508D6QEJXTDG4Y5R3ZARVARY0C5XW7KV8F3T4",
                &["BC1QW508D6QEJXTDG4Y5R3ZARVARY0C5XW7KV8F3T4"],
            ),
            (
                "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed",
                &["0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed"],
            ),
            (
                "0x5aaeb6053f3e94c9b9a09f33669435e7ef1beaed",
                &["0x5aaeb6053f3e94c9b9a09f33669435e7ef1beaed"],
            ),
            // One character changed in each.
            (
                "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNb, bc1qar0srrr7xfkvy5l643lydnw9re59gtzzwf5mdp",
                &[],
            ),
            (
                "0x5AAeb6053F3E94C9b9A09f33669435E7Ef1BeAed, 0x5aaeb6053f3e94c9b9a09f33669435e7ef1beae",
                &[],
            ),
        ],
    );
}

#[test]
fn names_are_read_in_any_case_and_unknown_ones_are_refused() {
    for entity in Entity::ALL {
        assert_eq!(entity.name().parse(), Ok(entity));
        assert_eq!(entity.to_string().to_ascii_uppercase().parse(), Ok(entity));
    }
    assert!("passport".parse::<Entity>().is_err());
    assert!(Entity::DEFAULT.iter().all(|entity| Entity::ALL.contains(entity)));
}

#[test]
fn labels_are_not_found_again() {
    for entity in Entity::ALL {
        for detector in detectors(&Entity::ALL) {
            let text = format!(
                "phone: {}@example, {}",
                detector.label.expect("a label"),
                detector.label.expect("a label")
            );
            assert_eq!(found(entity, &text), [""; 0]);
        }
    }
}

proptest! {
    #[test]
    fn no_text_makes_a_detector_return_what_is_not_in_it(text in "[0-9a-fx+:. @()-]{0,60}") {
        for entity in Entity::ALL {
            for value in found(entity, &text) {
                prop_assert!(text.contains(value) && !value.is_empty());
            }
        }
    }

    #[test]
    fn every_ipv6_address_is_found_however_it_is_written(address: u128) {
        let address = std::net::Ipv6Addr::from(address | 1 << 124);
        let text = format!("at {address}.");
        prop_assert_eq!(found(Entity::Ipv6, &text), [address.to_string()]);
    }
}
