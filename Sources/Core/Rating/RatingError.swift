/// Why something cannot be rated. Nothing of a charge or an account that fails is billed.
package struct RatingError: Error, Sendable, Hashable, CustomStringConvertible {
    package enum Code: String, Sendable, Hashable, CaseIterable {
        /// An amount or quantity leaves what can be computed exactly.
        case overflow
        /// Spans that do not follow each other inside of their period.
        case invalidSpans = "invalid_spans"
        /// A price in no currency.
        case missingCurrency = "missing_currency"
        /// A price that no catalog accepts, e.g. without a last open tier.
        case invalidPrice = "invalid_price"
        /// More billing cycles in the window than `FeeRating.cyclesMax`.
        case tooManyCycles = "too_many_cycles"
    }
    package var code: Code
    package var message: String

    package init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message
    }

    package var description: String { "\(code.rawValue): \(message)" }
}
