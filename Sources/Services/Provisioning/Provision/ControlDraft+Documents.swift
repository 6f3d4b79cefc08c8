import Entitlements
import MeteringModel
import MeteringPorts

extension ControlDraft {
    /// How documents of a customer are read here: its zone's days, this draft's features.
    func codecContext(zone: TimeZoneRules = .utc) -> CodecContext {
        let find = self.zone
        return CodecContext(
            catalog: definitions, zone: zone, defaultStart: effectiveAt,
            zones: { (name) throws(CodecContext.ZoneProblem) in
                guard let rules = find(name) else {
                    throw CodecContext.ZoneProblem("there is no time zone \"\(name)\"")
                }
                return rules
            })
    }

    /// Brings a document into the codec's form and puts it, unless the id is another customer's.
    @discardableResult
    mutating func putDocument(
        _ kind: RecordKind, _ id: String, customer: CustomerID, _ document: JSONValue,
        effectiveAt: Timestamp? = nil, reason: String? = nil, field: String? = nil
    ) throws(ControlProblem) -> Bool {
        if let history = try history(kind, id), let owner = history.customer, owner != customer {
            throw OrderSubscription.taken(kind, id, by: owner)
        }
        let metadata = kind == .subscription ? document["metadata"] : nil
        var normal: JSONValue
        do throws(FieldProblem) {
            normal = try RecordCodec.normalize(
                kind, metadata == nil ? document : document.setting(["metadata": nil]),
                codecContext())
        } catch {
            throw ControlProblem(error, below: field)
        }
        if let metadata { normal = normal.setting(["metadata": metadata]) }
        return try put(
            kind, id, customer: customer, normal, effectiveAt: effectiveAt, reason: reason)
    }
}

extension ControlProblem {
    /// A document that cannot be read; `below` is where it stands in what was sent.
    init(_ problem: FieldProblem, below field: String?) {
        let inner = problem.field
        let whole =
            switch field {
            case nil: inner
            case .some(let outer):
                inner.isEmpty ? outer : inner.hasPrefix("[") ? outer + inner : "\(outer).\(inner)"
            }
        self.init(
            .unprocessable, problem.code.rawValue, problem.message,
            field: whole.isEmpty ? nil : whole)
    }
}
