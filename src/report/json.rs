//! The report as JSON, the contract's section 2: the order of fields is that of the types.

use crate::model::Report;

use super::Shape;

pub(super) fn begin(shape: Shape) -> &'static str {
    match shape {
        Shape::One => "",
        Shape::Many => "[\n",
    }
}

/// A report in a document: over several lines where it stands alone, on one line as an element.
pub(super) fn report(report: &Report, shape: Shape) -> Result<String, serde_json::Error> {
    match shape {
        Shape::One => serde_json::to_string_pretty(report).map(|text| text + "\n"),
        Shape::Many => serde_json::to_string(report),
    }
}

/// A report on a line of its own.
pub(super) fn line(report: &Report) -> Result<String, serde_json::Error> {
    serde_json::to_string(report).map(|text| text + "\n")
}

pub(super) fn end(shape: Shape) -> &'static str {
    match shape {
        Shape::One => "",
        Shape::Many => "\n]\n",
    }
}

#[cfg(test)]
mod tests {
    use super::super::samples;
    use super::*;

    #[test]
    fn fields_stand_in_the_order_of_the_contract() {
        let text = line(&samples::mail_with_macro()).unwrap();
        let zeros = "00".repeat(32);
        let ones = "01".repeat(32);
        let expected = format!(
            r#"{{"path":"in/mail.eml","level":"malicious","score":100,"complete":true,"artifacts":[{{"id":0,"kind":"eml","size":100,"sha256":"{zeros}","name":"mail.eml","mail":{{"message_id":"1@example.com","date":"2026-11-22T10:00:00+09:00","from":"a@example.com","to":["b@example.com"],"subject":"<script>alert(1)</script>"}}}},{{"id":1,"parent":0,"via":"mime-part","kind":"text","size":100,"sha256":"{ones}"}},{{"id":2,"parent":0,"via":"mime-part","kind":"docm","#
        );
        assert!(text.starts_with(&expected), "{text}");
        let findings = r#""findings":[{"id":"vba-macro","severity":"low","score":10,"artifact":3,"evidence":{"text":"1 module with code"},"attack":["T1059.005"]}"#;
        assert!(text.contains(findings), "{text}");
        let evidence = r#""evidence":{"text":"o.Run \"x\"\\u{1b}[2J","offset":130,"decoded":"powershell -w hidden & <i>"},"attack":["T1059.005"],"more":3}],"#;
        assert!(text.contains(evidence), "{text}");
        let tail = format!(
            r#""raised":[{{"by":"autostart-with-call","score":100,"findings":[1,2]}}],"iocs":[{{"type":"url","value":"http://192.0.2.9/a.bin","artifact":4}}],"rules":"{zeros}","version":"0.0.0","elapsed_us":1930}}"#
        );
        assert!(text.ends_with(&(tail + "\n")), "{text}");
    }

    #[test]
    fn one_report_stands_alone_and_several_in_an_array() {
        let alone = report(&samples::clean(), Shape::One).unwrap();
        assert!(alone.starts_with("{\n"));
        let element = report(&samples::clean(), Shape::Many).unwrap();
        let document = format!(
            "{}{element},\n{element}{}",
            begin(Shape::Many),
            end(Shape::Many)
        );
        let value: serde_json::Value = serde_json::from_str(&document).unwrap();
        assert_eq!(value.as_array().unwrap().len(), 2);
    }
}
