public import MeteringModel

/// Uses grants up: what is left of each follows from past usage alone.
public enum GrantBurnDown {
    /// The order of use: lowest priority number first, then the earliest expiry (those without one
    /// last), then the earliest start, then the id.
    public static func isUsedBefore(_ left: Quota.Grant, _ right: Quota.Grant) -> Bool {
        let leftEnd = left.terms.expires ?? .distantFuture
        let rightEnd = right.terms.expires ?? .distantFuture
        if left.terms.priority != right.terms.priority {
            return left.terms.priority < right.terms.priority
        }
        if leftEnd != rightEnd { return leftEnd < rightEnd }
        if left.terms.start != right.terms.start { return left.terms.start < right.terms.start }
        return left.id < right.id
    }
}
