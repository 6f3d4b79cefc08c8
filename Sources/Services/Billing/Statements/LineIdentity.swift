import MeteringModel
import MeteringPorts
import Rating

/// A rated line and the span of usage that it is for.
struct LineDraft {
    var rated: RatedLine
    var span: UsageSpan?
    init(rated: RatedLine, span: UsageSpan? = nil) {
        self.rated = rated
        self.span = span
    }
}

/// Names lines by what they are about, so that the same line has the same id however often it is
/// made: what exports send is recognised when it is sent again.
struct LineIdentity {
    let customer: CustomerID
    let month: BillingMonth

    /// - Parameter makesDocuments: false: their documents are null.
    func lines(_ drafts: [LineDraft], _ makesDocuments: Bool) -> [StatementLine] {
        var seen: [String: Int] = [:]
        return drafts.map { draft in
            // Rating gives each line a key of its own; should it not, the order tells them apart.
            let count = seen[draft.rated.key, default: 0]
            seen[draft.rated.key] = count + 1
            let id = id(["line", draft.rated.key, draft.rated.currency.code, String(count)])
            return LineDocument.line(draft, id: id, makesDocument: makesDocuments)
        }
    }

    /// - Parameter ordinal: the number of adjustments that the month had before.
    func adjustmentID(_ key: String, _ currency: Currency, ordinal: Int) -> String {
        id(["adjustment", key, currency.code, String(ordinal)])
    }

    private func id(_ parts: [String]) -> String {
        // Length-prefixed, so no part can pose as two.
        let text = ([customer.rawValue, month.description] + parts)
            .map { "\($0.utf8.count):\($0)" }.joined()
        return "li_" + Self.hex(KeyHash(k0: 0x6269_6c6c, k1: 1).hash(text))
            + Self.hex(KeyHash(k0: 0x6c69_6e65, k1: 2).hash(text))
    }

    private static func hex(_ word: UInt64) -> String {
        let digits = String(word, radix: 16)
        return String(repeating: "0", count: 16 - digits.count) + digits
    }
}
