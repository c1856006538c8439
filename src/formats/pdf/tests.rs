use super::*;
use crate::limits::Limits;

fn budget() -> Budget {
    Budget::new(Limits::default(), None)
}

fn document(text: &str) -> Document<'_> {
    read(text.as_bytes(), &budget()).unwrap()
}

fn decoded(data: &[u8], place: usize) -> Vec<u8> {
    let document = read(data, &budget()).unwrap();
    let mut account = Account::new(data.len() as u64);
    document
        .stream(place, u64::MAX, &budget(), &mut account)
        .data
}

#[test]
fn objects_are_found_wherever_they_stand() {
    let pdf = document(
        "7 0 obj 5 endobj %PDF-1.4\n1 0 obj<</A 2 0 R/B[1 2 0 R(x\\)\\101)]>>endobj\n2 0 obj null endobj\n%%EOF\n 2 0  obj /N endobj",
    );
    let numbers: Vec<u32> = pdf.objects.iter().map(|object| object.number).collect();
    assert_eq!(numbers, [7, 1, 2, 2]);
    let Object::Dict(dict) = &pdf.objects[1].object else {
        panic!("{:?}", pdf.objects[1]);
    };
    let (resolved, place) = pdf.resolve(dict.get("A").unwrap());
    assert!(matches!(resolved, Object::Name(name) if name.text == b"N"));
    assert_eq!(place, Some(3));
    let Some(Object::Array(items)) = dict.get("B") else {
        panic!("{dict:?}");
    };
    assert_eq!(items[1..], [Object::Ref(2), Object::Text(b"x)A".to_vec())]);
}

#[test]
fn pages_are_told_by_the_last_object_of_their_number() {
    let text = "1 0 obj<</Type/Page>>endobj 2 0 obj<</Type/Page>>endobj 3 0 obj<</Type/Pages>>endobj\n\
                4 0 obj<</Type/Page>>endobj 2 0 obj<</Length 9>>endobj 5 0 obj<</Kids[<</Type/Page>>]>>endobj";
    let asked = BTreeSet::from([1, 2, 3, 5, 6]);
    let seen = pages(text.as_bytes(), &asked, &budget()).unwrap();
    assert_eq!(seen, BTreeSet::from([1]));
    let pdf = document(text);
    let as_read = asked.into_iter().filter(|number| {
        let found = pdf.find(*number).map(|place| &pdf.objects[place].object);
        matches!(found, Some(Object::Dict(dict)) if dict.is("Type", "Page"))
    });
    assert_eq!(seen, as_read.collect());
}

#[test]
fn names_are_decoded_and_escapes_told() {
    let pdf = document("1 0 obj<</J#53 1/S/#4aavaScript/A#20B 2>>endobj");
    let Object::Dict(dict) = &pdf.objects[0].object else {
        panic!();
    };
    assert!(dict.all("JS").next().unwrap().0.escaped);
    assert!(dict.hides("S", "JavaScript"));
    assert!(dict.get("A B").is_some());
}

#[test]
fn a_stream_is_as_long_as_it_says_where_that_fits() {
    let inside =
        "1 0 obj<</Length 2 0 R>>stream\nab endstream cd\nendstream endobj 2 0 obj 15 endobj";
    assert_eq!(decoded(inside.as_bytes(), 0), b"ab endstream cd");
    let wrong = "1 0 obj<</Length 99>>stream\r\nabc\r\nendstream endobj";
    assert_eq!(decoded(wrong.as_bytes(), 0), b"abc");
    let open = "1 0 obj<</Length 3>>stream\nabc and no end";
    assert_eq!(decoded(open.as_bytes(), 0), b"abc and no end");
}

#[test]
fn filters_are_undone_one_behind_another() {
    let hex = "1 0 obj<</Filter/AHx>>stream\n61 62 6>\nendstream";
    assert_eq!(decoded(hex.as_bytes(), 0), b"ab`");
    let both = "1 0 obj<</Filter[/ASCIIHexDecode/A85]>>stream\n3837635552445A7E3E\nendstream";
    assert_eq!(decoded(both.as_bytes(), 0), b"Hello");
    let runs = b"1 0 obj<</Filter/RL>>stream\n\x02abc\xfex\x80\nendstream";
    assert_eq!(decoded(runs, 0), b"abcxxx");
    let lzw =
        b"1 0 obj<</Filter/LZWDecode>>stream\n\x80\x0b\x60\x50\x22\x0c\x0c\x85\x01\nendstream";
    assert_eq!(decoded(lzw, 0), b"-----A---B");
}

#[test]
fn predictors_and_broken_ends_are_read() {
    use std::io::Write as _;
    let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(&[2, 1, 2, 3, 2, 1, 1, 1]).unwrap();
    let packed = encoder.finish().unwrap();
    let head = b"1 0 obj<</Filter/FlateDecode/DecodeParms<</Predictor 12/Columns 3>>>>stream\n";
    let data = [head.as_slice(), &packed, b"\nendstream"].concat();
    assert_eq!(decoded(&data, 0), [1, 2, 3, 2, 3, 4]);
    let cut = [head.as_slice(), &packed[..packed.len() - 5], b"\nendstream"].concat();
    assert!(!decoded(&cut, 0).is_empty());
}

#[test]
fn object_streams_are_opened() {
    let data = "1 0 obj<</Type/ObjStm/N 2/First 8>>stream\n5 0 6 3 42 /N\nendstream endobj";
    let mut pdf = document(data);
    pdf.open_object_streams(u64::MAX, &budget(), &mut Account::new(100))
        .unwrap();
    assert_eq!(pdf.resolve(&Object::Ref(5)).0, &Object::Number(42));
    assert!(matches!(pdf.resolve(&Object::Ref(6)).0, Object::Name(name) if name.text == b"N"));
}

#[test]
fn depth_loops_and_overlaps_end() {
    let deep = format!("1 0 obj {} endobj", "[".repeat(100_000));
    assert_eq!(document(&deep).objects.len(), 1);
    let ring = document("1 0 obj 2 0 R endobj 2 0 obj 1 0 R endobj");
    assert!(matches!(
        ring.resolve(&Object::Ref(1)).0,
        Object::Ref(_) | Object::Null
    ));
    let overlapping = "1 0 obj (".repeat(50_000);
    assert!(!document(&overlapping).faults.is_empty());
}

#[test]
fn text_is_read_by_its_mark() {
    assert_eq!(text(b"\xfe\xff\x58\x31"), "報");
    assert_eq!(text(b"plain"), "plain");
}
