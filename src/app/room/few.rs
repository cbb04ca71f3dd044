//! Lists from other members, bounded while they are decoded: one message may hold millions of items.

use std::fmt;
use std::marker::PhantomData;

use serde::de::{Deserialize, Deserializer, Error, SeqAccess, Visitor};

/// Decodes a list of at most `MOST` items.
///
/// # Errors
/// Fails at the first item beyond, without decoding the rest.
pub(super) fn few<'de, D, T, const MOST: usize>(deserializer: D) -> Result<Vec<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    struct Few<T, const MOST: usize>(PhantomData<T>);

    impl<'de, T: Deserialize<'de>, const MOST: usize> Visitor<'de> for Few<T, MOST> {
        type Value = Vec<T>;

        fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
            write!(formatter, "at most {MOST} items")
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Vec<T>, A::Error> {
            let mut few = Vec::new();
            while let Some(item) = items.next_element()? {
                if few.len() == MOST {
                    return Err(A::Error::invalid_length(MOST + 1, &self));
                }
                few.push(item);
            }
            Ok(few)
        }
    }

    deserializer.deserialize_seq(Few::<T, MOST>(PhantomData))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq, Eq, serde::Deserialize)]
    struct List {
        #[serde(deserialize_with = "few::<_, _, 3>")]
        items: Vec<u32>,
    }

    #[test]
    fn a_list_of_too_many_items_is_refused_at_the_first_of_them() {
        let read =
            |text: &str| serde_json::from_str::<List>(text).map(|list| list.items).map_err(|error| error.column());
        assert_eq!(read(r#"{"items":[]}"#), Ok(vec![]));
        assert_eq!(read(r#"{"items":[1,2,3]}"#), Ok(vec![1, 2, 3]));
        // The rest is no JSON: the decoder fails before it reads that.
        assert_eq!(read(r#"{"items":[1,2,3,4,?]}"#), Err(18));
    }
}
