package import MeteringModel

extension ControlChange {
    /// Appends the canonical text of `document`, member by member: making a dictionary and sorting
    /// it would cost an import more than all the rest of its rows. A test holds the two together.
    func writeDocument(to bytes: inout [UInt8]) {
        bytes.append(contentsOf: #"{"action":"#.utf8)
        JSONValue.string(action.rawValue).write(to: &bytes)
        bytes.append(contentsOf: #","actor":"#.utf8)
        JSONValue.string(actor).write(to: &bytes)
        bytes.append(contentsOf: #","after":"#.utf8)
        (after ?? .null).write(to: &bytes)
        let shown = shownEffectiveAt
        if shown != effectiveAt {
            bytes.append(contentsOf: #","applies_from":""#.utf8)
            bytes.append(contentsOf: effectiveAt.rfc3339().utf8)
            bytes.append(UInt8(ascii: "\""))
        }
        bytes.append(contentsOf: #","at":""#.utf8)
        bytes.append(contentsOf: at.rfc3339().utf8)
        bytes.append(contentsOf: #"","before":"#.utf8)
        (before ?? .null).write(to: &bytes)
        if let customer {
            bytes.append(contentsOf: #","customer":"#.utf8)
            JSONValue.string(customer.rawValue).write(to: &bytes)
        }
        bytes.append(contentsOf: #","effective_at":""#.utf8)
        bytes.append(contentsOf: shown.rfc3339().utf8)
        bytes.append(contentsOf: #"","id":"#.utf8)
        JSONValue.string(id).write(to: &bytes)
        bytes.append(contentsOf: #","kind":"#.utf8)
        JSONValue.string(kind.rawValue).write(to: &bytes)
        bytes.append(contentsOf: #","patch":"#.utf8)
        patch.write(to: &bytes)
        if let reason {
            bytes.append(contentsOf: #","reason":"#.utf8)
            JSONValue.string(reason).write(to: &bytes)
        }
        bytes.append(contentsOf: #","request_id":"#.utf8)
        JSONValue.string(requestID).write(to: &bytes)
        bytes.append(contentsOf: #","seq":"#.utf8)
        bytes.append(contentsOf: String(sequence).utf8)
        bytes.append(contentsOf: #","source":"#.utf8)
        JSONValue.string(source).write(to: &bytes)
        if let undoes {
            bytes.append(contentsOf: #","undoes":"#.utf8)
            bytes.append(contentsOf: String(undoes).utf8)
        }
        bytes.append(UInt8(ascii: "}"))
    }

    /// Reads a document that `document` made; nil when it is none.
    package init?(document: JSONValue) {
        guard let sequence = document["seq"]?.integer,
            let at = document["at"]?.text.flatMap(Self.instant),
            let effectiveAt = (document["applies_from"] ?? document["effective_at"])?.text
                .flatMap(Self.instant),
            let actor = document["actor"]?.text, let source = document["source"]?.text,
            let requestID = document["request_id"]?.text, let id = document["id"]?.text,
            let action = document["action"]?.text.flatMap(Action.init(rawValue:)),
            let kind = document["kind"]?.text.flatMap(RecordKind.init(rawValue:)),
            let patch = document["patch"]
        else { return nil }
        self.init(
            sequence: sequence, at: at, actor: actor, source: source,
            reason: document["reason"]?.text, effectiveAt: effectiveAt, requestID: requestID,
            action: action, kind: kind, id: id,
            customer: document["customer"]?.text.map(CustomerID.init(rawValue:)), patch: patch,
            before: document["before"].flatMap { $0.isNull ? nil : $0 },
            after: document["after"].flatMap { $0.isNull ? nil : $0 },
            undoes: document["undoes"]?.integer)
    }

    /// The end of time is the one instant that is written and not read as RFC 3339.
    private static func instant(_ text: String) -> Timestamp? {
        Timestamp(rfc3339: text)
            ?? (text == Timestamp.distantFuture.rfc3339() ? .distantFuture : nil)
    }

    /// Whose record it is, in a column: a customer's own record belongs to it.
    var owner: String { customer?.rawValue ?? (kind == .customer ? id : "") }
}
