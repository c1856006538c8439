//! Texts as Word takes them.

use super::*;
use crate::limits::Limits;

fn rtf(text: &str) -> Rtf {
    read(text.as_bytes(), &Budget::new(Limits::default(), None)).unwrap()
}

fn only(text: &str) -> Object {
    let mut read = rtf(text);
    assert_eq!(read.objects.len(), 1, "{text}: {read:?}");
    read.objects.remove(0)
}

#[test]
fn an_object_as_programs_write_it_has_no_noise() {
    let object = only(
        "{\\rtf1\\ansi{\\object\\objemb\\objw1{\\*\\objclass Package}{\\*\\objdata 0105\r\n0000ff}{\\result text ab}}}",
    );
    assert_eq!(object.class, b"Package");
    assert_eq!(object.data.bytes, [1, 5, 0, 0, 255]);
    assert!(object.data.noise.told().is_empty() && !object.update && !object.link);
}

#[test]
fn digits_are_found_between_everything_that_word_passes_over() {
    for text in [
        "{\\rtf1{\\object{\\objdata 0 1 0\t5 00}}}",
        "{\\rtf1{\\object{\\objdata 01{\\*\\foo ffff}0500}}}",
        "{\\rtf1{\\object{\\objdata 01\\foo 05\\bar1 00}}}",
        "{\\rtf1{\\object{\\objdata 01{}05{{}}00}}}",
        "{\\rtf1{\\object{\\objdata 01zz05;00}}}",
        "{\\rtf1{\\object{\\objdata 01{05{00}}}}}",
        "{\\rt{\\object\\objdata 010500}}",
        "{\\rtf1{\\object{\\objdata \\bin2 \u{1}\u{5}00}}}",
        "{\\rtf1{\\OBJECT{\\ObjData 010500}}}",
        "{\\rtf1{\\objdata 010500}}",
        "{\\rtf1{\\object{\\objdata 010500",
    ] {
        assert_eq!(only(text).data.bytes, [1, 5, 0], "{text}");
    }
}

#[test]
fn what_reads_differently_by_another_rule_is_kept_too() {
    let object = only("{\\rtf1{\\object{\\objdata 01\\'05 00}}}");
    assert_eq!(object.data.bytes, [1, 0]);
    assert_eq!(object.data.others, [vec![1, 5, 0]]);
    let object = only("{\\rtf1{\\object{\\objdata f010500}}}");
    assert_eq!(object.data.bytes, [0xf0, 0x10, 0x50]);
    assert_eq!(object.data.others, [vec![1, 5, 0]]);
    assert!(object.data.odd);
}

#[test]
fn how_an_object_is_used_is_told() {
    let object = only(
        "{\\rtf1{\\object\\objautlink\\objupdate{\\*\\objclass Word.Document.8}{\\*\\objdata 01}}}",
    );
    assert!(object.update && object.link);
    assert!(only("{\\rtf1{\\object\\objocx{\\*\\objdata 01}}}").control);
}

#[test]
fn fields_are_put_together_over_groups_and_nested_fields() {
    for text in [
        r"{\rtf1{\field\flddirty{\*\fldinst {\b DDE}{AUTO c:\\\\windows cmd.exe}}{\fldrslt shown}}}",
        r"{\rtf1{\field{\*\fldinst DDEAUTO {\field{\*\fldinst QUOTE 99}{\fldrslt x}}:\\\\windows cmd\u46?exe}{\fldrslt shown}}}",
        r"{\rtf1{\field\fldinst DDEAUTO c:\\\\windows cmd.exe}}",
        r"{\rtf1{\*\fldinst DDEAUTO c:\\\\windows cmd.exe}}",
        r"{\rtf1{\field{\fldinst DDEAUTO {\field{\fldinst SEQ}{\fldrslt c}}:\\\\windows cmd.exe}}",
    ] {
        let read = rtf(text);
        let told: Vec<_> = read
            .fields
            .iter()
            .map(|field| (field.keyword.as_str(), field.arguments.join(" ")))
            .collect();
        assert_eq!(
            told,
            [("ddeauto", "c:\\windows cmd.exe".to_owned())],
            "{text}"
        );
    }
    let page = rtf(r"{\rtf1{\field{\*\fldinst HYPERLINK x}{\fldrslt DDEAUTO c x}} DDEAUTO a}");
    assert_eq!(page.fields, []);
}

#[test]
fn the_template_and_stored_data_are_found() {
    let read = rtf("{\\rtf1{\\*\\template http://192.0.2.1/\\'61.dotm}{\\*\\datastore 0105}}");
    assert_eq!(
        read.templates.first().map(|(_, text)| text.clone()),
        Some(b"http://192.0.2.1/a.dotm".to_vec())
    );
    assert_eq!(
        read.stored.first().map(|(_, bytes)| bytes.clone()),
        Some(vec![1, 5])
    );
}

#[test]
fn every_template_and_the_places_of_pictures_are_told() {
    let texts = |list: Vec<(usize, Vec<u8>)>| -> Vec<String> {
        let texts = list.into_iter().map(|(_, text)| String::from_utf8(text));
        texts.map(Result::unwrap).collect()
    };
    let read = rtf("{\\rtf1{\\template a}{\\*\\template b}}");
    assert_eq!(texts(read.templates), ["a", "b"]);
    let shape = |name: &str| {
        rtf(&format!(
            "{{\\rtf1{{\\shp{{\\*\\shpinst{{\\sp{{\\sn {name}}}{{\\sv file:\\\\\\\\h}}}}}}}}}}"
        ))
    };
    assert_eq!(texts(shape("pibName").pictures), ["file:\\\\h"]);
    assert_eq!(texts(shape("fillBlipName").pictures), ["file:\\\\h"]);
    assert!(shape("wzName").pictures.is_empty());
}

#[test]
fn groups_of_their_own_do_not_hide_a_field() {
    let told = |code: &str| {
        let read = rtf(&format!(
            "{{\\rtf1{{\\field{{\\*\\fldinst {code}}}{{\\fldrslt x}}}}}}"
        ));
        read.fields
            .iter()
            .any(|field| field.keyword == "ddeauto" && field.arguments == ["a", "b"])
    };
    for aside in [
        "{\\*\\bkmkstart PAGE }",
        "{\\*\\unknown PAGE }",
        "{\\pntext PAGE }",
        "{\\pict 0102}",
        "{\\deleted\\revauthdel1 PAGE }",
    ] {
        assert!(told(&format!("{aside} DDEAUTO a b")), "{aside}");
        assert!(told(&format!("DDE{aside}AUTO a b")), "{aside}");
        assert!(!told(&format!("DDE {aside} a b")), "{aside}");
    }
    assert!(told("{\\upr{PAGE}{\\*\\ud{DDEAUTO a b}}}"));
    assert!(told("DDEAUTO\\emspace a\\cell b"));
    assert!(told("{\\*\\b DDEAUTO a b}"));
}

#[test]
fn groups_of_their_own_do_not_hide_an_object() {
    for text in [
        "01{\\author ff}0500",
        "01{\\*\\objdata 11}0500",
        "01{\\pict 4142}0500",
        "\\uc2 01\\u9999 410500",
    ] {
        let object = only(&format!("{{\\rtf1{{\\object{{\\*\\objdata {text}}}}}}}"));
        let found = object.data.others.contains(&vec![1, 5, 0]) || object.data.bytes == [1, 5, 0];
        assert!(found, "{text}: {object:?}");
    }
}

#[test]
fn headers_that_no_program_writes_are_told() {
    for (text, odd) in [
        ("{\\rtf1 a}", false),
        ("{\\rtf\\ansi a}", false),
        ("{\\rt a}", true),
        ("{\\rtx1 a}", true),
        ("{\\rtfx a}", true),
    ] {
        assert_eq!(rtf(text).odd_header, odd, "{text}");
    }
}

#[test]
fn groups_without_end_are_read_in_linear_time() {
    let deep = "{".repeat(300_000);
    assert!(
        rtf(&format!("{{\\rtf1{deep}{{\\object{{\\objdata 0102}}}}"))
            .objects
            .len()
            <= 1
    );
    let many = "{\\object{\\objdata 01}}".repeat(10_000);
    let read = rtf(&format!("{{\\rtf1{many}}}"));
    assert!(read.more && read.objects.len() == KEPT);
}
