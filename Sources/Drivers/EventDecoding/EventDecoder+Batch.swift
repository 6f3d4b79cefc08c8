internal import CSimdJSON

extension EventDecoder {
    /// Cuts a JSON array into its elements and hands each one's text over, to be decoded alone.
    ///
    /// The array is checked first: when it breaks off, when its brackets do not match or when it
    /// has too many elements, nothing is handed over. An element that is no event is handed over all
    /// the same, and so is one with broken UTF-8: decoding it tells what is wrong with it.
    /// - Parameter body: gets the element's index and text; may decode it with this decoder.
    /// - Returns: how many elements there were.
    public func forEachInBatch(
        _ bytes: RawSpan, maximumEvents: Int, _ body: (Int, RawSpan) -> Void
    ) throws(DecodeFailure) -> Int {
        var outcome = tg_outcome()
        // SAFETY: the elements lie inside `bytes`, or in a copy that the decoder keeps until
        // `tg_batch_end`; no pointer to them survives the closure.
        let count = unsafe bytes.withUnsafeBytes { buffer in
            var count = 0
            outcome = unsafe tg_batch_begin(
                decoder, Self.start(of: buffer), buffer.count, max(0, maximumEvents), &count)
            guard outcome.status == TG_OK else { return 0 }
            defer { unsafe tg_batch_end(decoder) }
            var element = unsafe tg_text()
            var index = 0
            while unsafe tg_batch_next(decoder, &element) {
                unsafe body(index, RawSpan(_unsafeBytes: element.buffer))
                index += 1
            }
            return count
        }
        guard outcome.status == TG_OK else { throw DecodeFailure(outcome) }
        return count
    }
}
