extension [UInt8] {
    /// The bytes as a span, for callers that must not write `unsafe` themselves.
    package func withRawSpan<Result>(_ body: (RawSpan) -> Result) -> Result {
        // SAFETY: the span cannot leave `body`, during which the array is alive; every byte of an
        // array of UInt8 is initialised.
        unsafe body(span.bytes)
    }
}
