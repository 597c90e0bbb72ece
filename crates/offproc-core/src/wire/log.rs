//! Log records, as they lie in the pipe that a worker writes them to.
//!
//! ```text
//! offset 0  length  u32, little endian, of the body
//!        4  job     u32, little endian: the number of the job that the record is of; 0: of none
//!        8  body    in whatever form those who write and read records have agreed on
//! ```
//!
//! Jobs of a worker are numbered from 1, in the order in which it gets them.

/// The size of a record's header.
pub(crate) const HEADER: usize = 8;

/// The largest body of a log record, in bytes: with its header it just fits into an empty pipe.
pub const MAX_LOG_RECORD: usize = (64 << 10) - HEADER;

/// The number of the next job.
pub(crate) fn next_job(job: u32) -> u32 {
    job.checked_add(1).unwrap_or(1)
}

/// The header of a record.
pub(crate) fn header(length: usize, job: u32) -> [u8; HEADER] {
    let mut header = [0; HEADER];
    header[..4].copy_from_slice(&(length as u32).to_le_bytes());
    header[4..].copy_from_slice(&job.to_le_bytes());
    header
}

/// What is at the start of some bytes.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Next<'a> {
    /// A record of this job, and what comes after it.
    Record { job: u32, body: &'a [u8], rest: &'a [u8] },
    /// Part of a record, or nothing.
    Incomplete,
    /// No record: its body would be longer than any.
    TooLong(usize),
}

/// Looks at the start of some bytes.
pub(crate) fn next(bytes: &[u8]) -> Next<'_> {
    let Some((header, rest)) = bytes.split_first_chunk::<HEADER>() else { return Next::Incomplete };
    let [a, b, c, d, job @ ..] = *header;
    let length = u32::from_le_bytes([a, b, c, d]) as usize;
    if length > MAX_LOG_RECORD {
        return Next::TooLong(length);
    }
    match rest.split_at_checked(length) {
        Some((body, rest)) => Next::Record { job: u32::from_le_bytes(job), body, rest },
        None => Next::Incomplete,
    }
}

/// The records at the start of some bytes that are of one job: as many as follow each other.
#[derive(Debug)]
pub(crate) struct Run<'a, 'b> {
    bytes: &'b mut &'a [u8],
    job: u32,
}

impl<'a, 'b> Run<'a, 'b> {
    /// Takes the records off the bytes as it goes.
    pub(crate) fn new(bytes: &'b mut &'a [u8], job: u32) -> Self {
        Self { bytes, job }
    }
}

impl<'a> Iterator for Run<'a, '_> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        match next(self.bytes) {
            Next::Record { job, body, rest } if job == self.job => {
                *self.bytes = rest;
                Some(body)
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(job: u32, body: &[u8]) -> Vec<u8> {
        [&header(body.len(), job)[..], body].concat()
    }

    #[test]
    fn records_of_one_job_are_a_run_up_to_what_is_incomplete() {
        let bytes = [record(1, b"one"), record(1, b""), record(2, b"two"), record(2, b"cut")[..10].to_vec()].concat();
        let mut left = &bytes[..];
        assert_eq!(Run::new(&mut left, 1).collect::<Vec<_>>(), [&b"one"[..], b""]);
        assert_eq!(Run::new(&mut left, 2).collect::<Vec<_>>(), [b"two"]);
        assert_eq!(next(left), Next::Incomplete);
        assert_eq!(left.len(), 10);
    }

    #[test]
    fn a_length_is_not_believed_beyond_the_largest_record() {
        let longest = header(MAX_LOG_RECORD, 7);
        assert_eq!(next(&longest), Next::Incomplete);
        let longer = header(MAX_LOG_RECORD + 1, 7);
        assert_eq!(next(&longer), Next::TooLong(MAX_LOG_RECORD + 1));
        assert_eq!(next(&[0xff; 64]), Next::TooLong(u32::MAX as usize));
    }

    #[test]
    fn job_numbers_never_become_that_of_no_job() {
        assert_eq!(next_job(0), 1);
        assert_eq!(next_job(u32::MAX), 1);
    }
}
