use proptest::prelude::*;

use super::*;

fn frame(kind: u8, payload: &[u8]) -> Vec<u8> {
    [&[kind, 0, 1][..], &(payload.len() as u32).to_be_bytes(), payload, &[0xce]].concat()
}

fn header(flags: u16, properties: &[u8]) -> Vec<u8> {
    frame(2, &[&[0, 60, 0, 0, 0, 0, 0, 0, 0, 0, 0, 5][..], &flags.to_be_bytes(), properties].concat())
}

fn short(text: &[u8]) -> Vec<u8> {
    [&[text.len() as u8][..], text].concat()
}

fn long(kind: &[u8], bytes: &[u8]) -> Vec<u8> {
    [kind, &(bytes.len() as u32).to_be_bytes(), bytes].concat()
}

fn nested(depth: usize) -> Vec<u8> {
    let inner = (0..depth).fold(Vec::new(), |inner, _| [&b"\x01a"[..], &long(b"F", &inner)].concat());
    long(b"", &inner)
}

fn filtered(chunks: &[&[u8]]) -> Vec<u8> {
    filtered_with(u64::MAX, chunks)
}

fn filtered_with(body_limit: u64, chunks: &[&[u8]]) -> Vec<u8> {
    let mut filter = FrameFilter::new(Arc::new(body_limit.into()), FRAME_MAX);
    let mut clean = Vec::new();
    for chunk in chunks {
        filter.filter(chunk, &mut clean);
    }
    clean
}

const FRAME_MAX: usize = 16 << 10;

const TYPE: u16 = 1 << 15;
const HEADERS: u16 = 1 << 13;
const MODE: u16 = 1 << 12;
const ID: u16 = 1 << 7;

#[test]
fn sound_headers_and_everything_else_pass_as_they_are() {
    let fields = [
        &b"\x01a"[..],
        &long(b"S", b"\xff\xfe"),
        b"\x02bcl\0\0\0\0\0\0\0\x01\x01dV",
        &[1, b'e'],
        &long(b"A", b"t\x01"),
    ];
    let properties =
        [&short("été".as_bytes())[..], &long(b"", &fields.concat()), &[2], &short(b"id")].concat();
    let frames = [
        header(TYPE | HEADERS | MODE | ID, &properties),
        frame(3, b"\x02 body"),
        frame(8, b""),
        header(0, b""),
    ];
    let all = frames.concat();
    assert_eq!(filtered(&[&all]), all);
    let bytes: Vec<&[u8]> = all.chunks(1).collect();
    assert_eq!(filtered(&bytes), all);
}

#[test]
fn headers_too_deep_to_read_are_left_out_and_the_rest_kept() {
    let deep = [&nested(15_000)[..], &short(b"id")].concat();
    assert_eq!(filtered(&[&header(HEADERS | ID, &deep), b"\x08"]), header(ID, &short(b"id")));
    let shallow = header(HEADERS, &nested(DEEPEST_TABLE - 1));
    assert_eq!(filtered(&[&shallow]), shallow);
}

#[test]
fn text_that_is_not_utf8_is_mended_or_left_out() {
    assert_eq!(filtered(&[&header(TYPE, &short(b"a\xffb\xe2\x82"))]), header(TYPE, &short(b"a?b??")));
    let named = long(b"", b"\x01\xffV");
    assert_eq!(filtered(&[&header(HEADERS, &named)]), header(0, b""));
}

#[test]
fn wrong_lengths_leave_no_properties() {
    for (flags, lie) in [(TYPE, &b"\xff"[..]), (HEADERS, &[0xff; 9]), (ID, b""), (0, b"more"), (3, b"\0\0")] {
        assert_eq!(filtered(&[&header(flags, lie)]), header(0, b""), "{flags:x}");
    }
}

#[test]
fn headers_longer_than_a_frame_are_left_out_and_the_rest_kept() {
    let table = |length| long(b"", &[&b"\x01a"[..], &long(b"S", &vec![b'v'; length])].concat());
    let properties = |length| [&table(length)[..], &short(b"id")].concat();
    let fits = header(HEADERS | ID, &properties(15_000));
    assert_eq!(filtered(&[&fits]), fits);
    for length in [FRAME_MAX, 50_000, 2 * LARGEST_HEADER] {
        let whole = [header(HEADERS | ID, &properties(length)), frame(3, b"body")].concat();
        let kept = if length < LARGEST_HEADER { header(ID, &short(b"id")) } else { header(0, b"") };
        let chunks: Vec<&[u8]> = whole.chunks(4000).collect();
        assert_eq!(filtered(&chunks), [kept, frame(3, b"body")].concat(), "{length}");
    }
}

#[test]
fn a_body_over_the_limit_is_withheld_and_marked() {
    let forged = 1 << CLUSTER_ID;
    let other = [3, 0, 2, 0, 0, 0, 1, b'x', END];
    let all = [
        header(ID | forged, &[short(b"id"), short(b"mine")].concat()),
        frame(3, b"12"),
        other.to_vec(),
        frame(3, b"345"),
        header(0, b""),
        frame(3, b"12345"),
    ];
    let mut marked = header(ID | forged, &[short(b"id"), short(b"5")].concat());
    marked[SIZE..FLAGS].fill(0);
    let mut bare = header(forged, &short(b"5"));
    bare[SIZE..FLAGS].fill(0);
    for size in [1, 3, 1000] {
        let whole = all.concat();
        let chunks: Vec<&[u8]> = whole.chunks(size).collect();
        assert_eq!(filtered_with(4, &chunks), [&marked[..], &other, &bare].concat());
        let honest = [header(ID, &short(b"id")), all[1..].concat()].concat();
        assert_eq!(filtered_with(5, &chunks), honest);
    }
}

proptest! {
    #[test]
    fn never_panics_and_keeps_frames_whole(flags: u16, properties: Vec<u8>, at in 0..40_usize) {
        let whole = header(flags, &properties);
        let (one, other) = whole.split_at(at.min(whole.len()));
        let clean = filtered(&[one, other]);
        prop_assert_eq!(number(&clean, 3), Some(clean.len() - BEFORE - 1));
        let few = filtered_with(0, &[&whole]);
        prop_assert_eq!(number(&few, 3), Some(few.len() - BEFORE - 1));
        prop_assert_eq!(filtered(&[&clean]), clean, "what is clean stays so");
    }
}
