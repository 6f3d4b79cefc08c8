import MeteringModel
import MeteringPorts

/// Records as the API shows them.
enum RecordView {
    /// A record's document, with what follows from it: the revision, a plan's latest version in
    /// the place of all versions, a subscription's product.
    static func document(
        _ history: RecordHistory, _ document: JSONValue, _ definitions: Catalog
    ) -> JSONValue {
        var members: [String: JSONValue?] = ["revision": .integer(history.revision)]
        switch history.kind {
        case .plan: return plan(document).setting(members)
        case .integration: members["id"] = .string(history.id)
        case .subscription:
            members["product"] = .string(product(document, definitions).rawValue)
        case .product, .meter, .feature, .addOn, .customer, .override, .grant, .suspension,
            .revocation, .seat, .credential, .alertEndpoint, .signal, .correction:
            break
        }
        return document.setting(members)
    }

    /// The latest version of a plan's record, with the numbers of all.
    static func plan(_ document: JSONValue) -> JSONValue {
        let versions = document["versions"]?.object ?? [:]
        let latest = document["latest"]?.digits ?? ""
        let content = versions[latest] ?? .object([:])
        return content.setting([
            "key": document["key"], "version": document["latest"],
            "versions": .array(versions.keys.compactMap { Int($0) }.sorted().map { .integer($0) }),
        ])
    }

    static func product(_ subscription: JSONValue, _ definitions: Catalog) -> ProductKey {
        let key = PlanKey(subscription["plan"]?.text ?? "")
        let version = subscription["version"]?.integer.map { Int($0) } ?? 0
        let past = definitions.pastPlans.first { $0.key == key && $0.version == version }
        let plan = past ?? definitions.plans.first { $0.key == key }
        return plan?.product ?? .default
    }

    /// Below `/v1`, with what a path cannot hold escaped.
    static func location(_ kind: RecordKind, _ id: String) -> String {
        let digits = Array("0123456789ABCDEF")
        var text = "/v1/\(kind.path)/"
        for byte in id.utf8 {
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."),
                UInt8(ascii: "_"), UInt8(ascii: "~"), UInt8(ascii: ":"), UInt8(ascii: "@"):
                text.append(Character(Unicode.Scalar(byte)))
            default: text += "%\(digits[Int(byte >> 4)])\(digits[Int(byte & 15)])"
            }
        }
        return text
    }
}

extension ControlDraft {
    /// The answer of a command on one record: the record as it is from `effectiveAt` on.
    func answer(
        _ kind: RecordKind, _ id: String, isNew: Bool = false
    ) throws(ControlProblem) -> ControlAnswer {
        guard let history = try history(kind, id) else { throw .notFound(kind, id) }
        let instant = kind.isCatalog ? now : effectiveAt
        guard let document = history.document(at: instant) ?? history.latest else {
            throw .notFound(kind, id)
        }
        return ControlAnswer(
            status: isNew ? 201 : 200,
            body: RecordView.document(history, document, definitions),
            entityTag: String(history.revision),
            location: isNew ? RecordView.location(kind, id) : nil)
    }
}
