import MeteringModel

/// Checked arithmetic of exact amounts: what does not fit is an error that names what was computed.
enum ExactMoney {
    static func product(
        _ price: ExactDecimal, units: Int64, scale: Int, _ what: @autoclosure () -> String
    ) throws(RatingError) -> ExactDecimal {
        guard
            let product = price.multiplied(by: ExactDecimal(units: Int128(units), scale: scale))
        else { throw overflow(what()) }
        return product
    }

    static func sum(
        _ left: ExactDecimal, _ right: ExactDecimal, _ what: @autoclosure () -> String
    ) throws(RatingError) -> ExactDecimal {
        guard let sum = left.adding(right) else { throw overflow(what()) }
        return sum
    }

    static func sum(
        _ left: ExactAmount, _ right: ExactAmount, _ what: @autoclosure () -> String
    ) throws(RatingError) -> ExactAmount {
        guard let sum = left.adding(right) else { throw overflow(what()) }
        return sum
    }

    static func difference(
        _ left: ExactAmount, _ right: ExactAmount, _ what: @autoclosure () -> String
    ) throws(RatingError) -> ExactAmount {
        guard let difference = left.subtracting(right) else { throw overflow(what()) }
        return difference
    }

    static func difference(
        _ left: Int64, _ right: Int64, _ what: @autoclosure () -> String
    ) throws(RatingError) -> Int64 {
        let (difference, isOver) = left.subtractingReportingOverflow(right)
        if isOver { throw overflow(what()) }
        return difference
    }

    /// `amount` for a share of a period or cycle.
    static func share(
        _ amount: ExactDecimal, _ share: RatedLine.Proration, _ what: @autoclosure () -> String
    ) throws(RatingError) -> ExactAmount {
        guard
            let part = ExactAmount(amount, times: share.numerator, over: share.denominator)
        else { throw overflow(what()) }
        return part
    }

    /// Minor units of the currency, rounded once.
    static func rounded(
        _ amount: ExactAmount, _ currency: Currency, _ rule: RoundingRule,
        _ what: @autoclosure () -> String
    ) throws(RatingError) -> Int64 {
        guard let units = amount.rounded(places: currency.minorUnitPlaces, rule) else {
            throw overflow(what())
        }
        return units
    }

    private static func overflow(_ what: String) -> RatingError {
        RatingError(.overflow, "\(what) comes to more than can be computed exactly")
    }
}

extension Period {
    /// The share that [from, to) is of this period, by whole seconds: an instant counts from the
    /// second that it lies in, so that the shares of neighbours add up to that of both.
    /// Nil for a period without a second.
    func share(from: Timestamp, to: Timestamp) -> RatedLine.Proration? {
        let whole = end.seconds - start.seconds
        guard whole > 0 else { return nil }
        return RatedLine.Proration(numerator: to.seconds - from.seconds, denominator: whole)
    }
}

extension RatedLine.Proration {
    var isWhole: Bool { numerator == denominator }
}
