import Entitlements
import MeteringModel
import MeteringPorts

extension ControlDraft {
    /// Brings a document into the stored form and puts it, unless the id is another customer's.
    /// - Parameters:
    ///   - codec: nil makes one; who puts many documents makes one for all.
    ///   - field: where the document stands in what was sent, for problems.
    @discardableResult
    mutating func putDocument(
        _ kind: RecordKind, _ id: String, customer: CustomerID, _ document: JSONValue,
        effectiveAt: Timestamp? = nil, reason: String? = nil, codec: CodecContext? = nil,
        field: String? = nil
    ) throws(ControlProblem) -> Bool {
        if let history = try history(kind, id), let owner = history.customer, owner != customer {
            throw OrderSubscription.taken(kind, id, by: owner)
        }
        let normal: JSONValue
        do throws(FieldProblem) {
            normal = try RecordCodec.normalize(kind, document, codec ?? self.codec())
        } catch {
            throw ControlProblem.field(error, below: field)
        }
        return try put(
            kind, id, customer: customer, normal, effectiveAt: effectiveAt, reason: reason)
    }
}

extension ControlProblem {
    /// A document that cannot be read; `outer` is where it stands in what was sent.
    static func field(_ problem: FieldProblem, below outer: String?) -> ControlProblem {
        var whole = ControlProblem.field(problem)
        if let outer {
            let inner = whole.field.map { $0.hasPrefix("[") ? $0 : ".\($0)" }
            whole.field = outer + (inner ?? "")
        }
        return whole
    }
}
