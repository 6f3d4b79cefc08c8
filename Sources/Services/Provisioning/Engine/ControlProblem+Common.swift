import Entitlements
package import MeteringModel
package import MeteringPorts

extension ControlProblem {
    /// The store could not be read or written: the caller may try again.
    package static func store(_ error: ControlStoreError) -> ControlProblem {
        ControlProblem(
            .unavailable, "unavailable",
            "the control plane's store cannot be used now: \(error.message); nothing was changed")
    }

    package static func notFound(_ kind: RecordKind, _ id: String) -> ControlProblem {
        ControlProblem(.notFound, "not_found", "there is no \(kind.words) \"\(id)\"")
    }

    /// A reference to something that does not exist. `known` are the ids that do, for a hint.
    package static func unknown(
        _ kind: RecordKind, _ id: String, field: String?, known: some Sequence<String>
    ) -> ControlProblem {
        ControlProblem(
            .unprocessable, "unknown_\(kind.rawValue)",
            "there is no \(kind.words) \"\(id)\"\(NearestKey.hint(for: id, in: known))",
            field: field)
    }

    /// Reasons are kept in the log for ever and shown with every answer that they account for.
    static let reasonBytesMax = 2_000

    static func requireReason(_ reason: String) throws(ControlProblem) {
        if reason.utf8.count > reasonBytesMax {
            throw .invalid(
                "reason_too_long",
                "the reason is longer than \(reasonBytesMax) bytes; name a document that says more",
                field: "reason")
        }
        if reason.allSatisfy(\.isWhitespace) {
            throw .invalid("missing", "the reason is empty", field: "reason")
        }
    }

    /// A definition was to change at another time than now.
    static func definitionsChangeAtOnce(_ kind: RecordKind) -> ControlProblem {
        let advice =
            kind == .plan
            ? "date the migration instead (POST /v1/plans/KEY/migrate with effective_at)"
            : "leave effective_at out"
        return .invalid(
            "definitions_change_at_once", "\(kind.oneWord) changes at once; \(advice)",
            field: "effective_at")
    }

    package static func invalid(
        _ code: String, _ detail: String, field: String? = nil
    ) -> ControlProblem {
        ControlProblem(.unprocessable, code, detail, field: field)
    }
}

extension RecordKind {
    /// For people.
    package var words: String { self == .addOn ? "add-on" : rawValue }

    /// One of the kind, with its article.
    package var oneWord: String {
        switch self {
        case .addOn, .override, .integration: "an \(words)"
        default: "a \(words)"
        }
    }

    /// Definitions: they belong to no customer and take effect at once.
    package var isCatalog: Bool {
        switch self {
        case .product, .meter, .feature, .plan, .addOn, .integration: true
        case .customer, .subscription, .override, .grant, .suspension, .revocation, .seat,
            .credential, .alertEndpoint, .signal, .correction:
            false
        }
    }

    /// Whether a customer's entitlements are folded from it.
    package var isContract: Bool {
        switch self {
        case .customer, .subscription, .override, .grant, .suspension, .revocation: true
        case .product, .meter, .feature, .plan, .addOn, .integration, .seat, .credential,
            .alertEndpoint, .signal, .correction:
            false
        }
    }

    /// Below `/v1`.
    package var path: String {
        switch self {
        case .addOn: "add-ons"
        default: rawValue + "s"
        }
    }
}
