extension Int64 {
    /// self / whole in hundredths of a percent, cut off: it reaches a threshold's share exactly when
    /// usage reaches the threshold. 0 without usage or without a whole.
    public func share(of whole: Int64) -> Int64 {
        if self <= 0 || whole <= 0 { return 0 }
        let (high, low) = multipliedFullWidth(by: 10_000)
        // The quotient fits when the product, without its 63 lowest bits, is less than the whole.
        let isInRange = high * 2 + Int64(low >> 63) < whole
        return isInRange ? whole.dividingFullWidth((high, low)).quotient : .max
    }
}

/// The one rule for shares as people read them.
public enum ShareText {
    /// Tenths of a percent to show for a share that is not negative: rounded half up, but never up
    /// to a whole percent. 100 % and thresholds lie there, and nobody must read that one is reached
    /// before it is.
    /// - Parameter thresholds: shares that are not rounded up to either, for those that lie between
    ///   whole percents.
    public static func tenths(basisPoints: Int64, thresholds: [Int64] = []) -> Int64 {
        let cut = basisPoints / 10
        let rounded = basisPoints.addingSaturated(5) / 10
        if rounded == cut { return cut }
        let claim = rounded * 10
        let isTooMuch =
            claim % 100 == 0 || thresholds.contains { basisPoints < $0 && $0 <= claim }
        return isTooMuch ? cut : rounded
    }
}
