public import MeteringModel

extension CatalogSnapshot {
    /// The customer that a subject belongs to, by its name. Allocates nothing.
    public func customerIndex(ofSubject subject: SubjectID) -> Int? {
        // SAFETY: the span is read while `subject` is alive.
        let bytes = unsafe subject.rawValue.utf8Span.span.bytes
        return customerIndex(subjectHash: hash.hash(bytes), subject: bytes)
    }
}
