package import MeteringModel
package import MeteringPorts

/// Reads an endpoint's document, strictly: a member that it does not know is an error.
package struct EndpointReader: Sendable {
    private static let members: Set = [
        "id", "name", "kind", "url", "url_reference", "topic", "types", "filter", "enabled",
        "digest", "settle_seconds", "timeout_seconds", "headers", "ordered", "last_action",
    ]
    private static let listMax = 1_000
    private static let headerMax = 20
    private static let textBytes = 1...256
    /// Fields that this service or the connection decides.
    private static let ownHeaders: Set = [
        "host", "connection", "content-length", "content-type", "transfer-encoding", "te",
        "upgrade", "user-agent", "expect",
    ]
    private static let secretHeaders: Set = [
        "authorization", "proxy-authorization", "cookie", "x-api-key",
    ]

    /// What is wrong with an address; nil when nothing is.
    private let addressProblem: @Sendable (String) -> String?
    /// Why nothing can be produced to topics; nil when it can.
    private let topicProblem: String?

    package init(
        addressProblem: @escaping @Sendable (String) -> String?, topicProblem: String?
    ) {
        self.addressProblem = addressProblem
        self.topicProblem = topicProblem
    }

    package func read(_ id: String, _ document: JSONValue) throws(ControlProblem) -> AlertEndpoint {
        let document = Members(document, "")
        try document.requireKnown(Self.members)
        try Self.requireID(id)
        if let other = try document.text("id"), !other.utf8.elementsEqual(id.utf8) {
            throw .invalid("invalid_id", "the body names \"\(other)\", the path \"\(id)\"", "id")
        }
        _ = try document.text("name")
        if try document.flag("ordered") == false {
            throw .invalid(
                "invalid_value", "deliveries are always in order; leave ordered out", "ordered")
        }
        let kind = try kind(document)
        let sealed = try document.text("url_reference")
        return AlertEndpoint(
            id: id, kind: kind, url: try url(document, kind, isSealed: sealed != nil),
            sealedAddress: sealed, topic: try topic(document, kind), types: try types(document),
            filter: try filter(document), isEnabled: try document.flag("enabled") ?? true,
            digest: try digest(document, kind),
            settleSeconds: try document.integer("settle_seconds", 0...86_400) ?? 60,
            timeoutSeconds: Int(try document.integer("timeout_seconds", 1...30) ?? 15),
            headers: try headers(document))
    }

    package static func requireID(_ id: String) throws(ControlProblem) {
        let allowed = id.utf8.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), UInt8(ascii: "-"):
                true
            default: false
            }
        }
        guard allowed, (1...64).contains(id.utf8.count) else {
            throw .invalid(
                "invalid_id", "an id has 1 to 64 letters, digits, _ and -, such as ops-slack", "id")
        }
    }

    // MARK: where to

    private func kind(_ document: Members) throws(ControlProblem) -> AlertEndpoint.Kind {
        guard let text = try document.text("kind") else {
            throw .invalid("missing", "kind must be webhook, slack or kafka", "kind")
        }
        guard let kind = AlertEndpoint.Kind(rawValue: text) else {
            throw .invalid(
                "invalid_value", "kind must be webhook, slack or kafka, not \"\(text)\"", "kind")
        }
        return kind
    }

    private func url(
        _ document: Members, _ kind: AlertEndpoint.Kind, isSealed: Bool
    ) throws(ControlProblem) -> String {
        let url = try document.text("url", 1...2_048)
        guard kind != .kafka else {
            if url != nil {
                throw .invalid("invalid_value", "a kafka endpoint has a topic, no url", "url")
            }
            return ""
        }
        guard let url else {
            throw .invalid("missing", "url must say where to send, https://…", "url")
        }
        if !isSealed, let problem = addressProblem(url) {
            throw .invalid("refused_address", problem, "url")
        }
        return url
    }

    private func topic(
        _ document: Members, _ kind: AlertEndpoint.Kind
    ) throws(ControlProblem) -> String {
        let topic = try document.text("topic")
        guard kind == .kafka else {
            if topic != nil {
                throw .invalid("invalid_value", "only a kafka endpoint has a topic", "topic")
            }
            return ""
        }
        if let topicProblem { throw .invalid("no_kafka", topicProblem, "kind") }
        let allowed = topic?.utf8.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "_"),
                UInt8(ascii: "-"):
                true
            default: false
            }
        }
        guard let topic, allowed == true, topic.utf8.count <= 249 else {
            throw .invalid(
                "invalid_value", "topic must be 1 to 249 letters, digits, \".\", _ and -", "topic")
        }
        return topic
    }

    private func headers(_ document: Members) throws(ControlProblem) -> [OutboundHeader] {
        guard let members = try document.object("headers") else { return [] }
        if members.count > Self.headerMax {
            throw .invalid("too_large", "at most \(Self.headerMax) headers", "headers")
        }
        var headers: [OutboundHeader] = []
        for name in members.keys.sorted() {
            let field = "headers.\(name)"
            let lower = name.lowercased()
            let isToken =
                !name.isEmpty
                && lower.utf8.allSatisfy {
                    (UInt8(ascii: "a")...UInt8(ascii: "z")).contains($0)
                        || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0)
                        || $0 == UInt8(ascii: "-") || $0 == UInt8(ascii: "_")
                }
            guard isToken, let value = members[name]?.text, value.utf8.count <= 256,
                value.utf8.allSatisfy({ (0x20...0x7E).contains($0) })
            else {
                throw .invalid(
                    "invalid_value", "a header is a name and up to 256 printable characters", field)
            }
            if Self.ownHeaders.contains(lower) || lower.hasPrefix("webhook-") {
                throw .invalid("invalid_value", "\(name) is set by this service", field)
            }
            if Self.secretHeaders.contains(lower) {
                throw .invalid(
                    "secret_header",
                    "headers are shown in the audit log, so \(name) cannot be one; verify the "
                        + "webhook-signature of each request instead", field)
            }
            headers.append(OutboundHeader(name, value))
        }
        return headers
    }

    // MARK: what

    private func types(_ document: Members) throws(ControlProblem) -> [String] {
        let types = try document.texts("types", max: 100) ?? []
        for type in types {
            let name = type.hasSuffix(".*") ? String(type.dropLast(2)) : type
            guard !name.isEmpty, name.utf8.allSatisfy(Self.isTypeByte) else {
                throw .invalid(
                    "invalid_value",
                    "\"\(type)\" is no message type; write e.g. quota.exhausted or usage.*",
                    "types")
            }
        }
        return types
    }

    private static func isTypeByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), UInt8(ascii: "."):
            true
        default: false
        }
    }

    private func filter(_ document: Members) throws(ControlProblem) -> AlertEndpoint.Filter {
        guard let members = try document.object("filter") else { return .init() }
        let filter = Members(.object(members), "filter")
        try filter.requireKnown(["plans", "features", "customers", "owners", "level_min"])
        func list(_ name: String) throws(ControlProblem) -> [String] {
            try filter.texts(name, max: Self.listMax) ?? []
        }
        var result = AlertEndpoint.Filter()
        result.plans = try list("plans").map { PlanKey($0) }
        result.features = try list("features").map { FeatureKey($0) }
        result.customers = try list("customers").map { CustomerID($0) }
        result.owners = try list("owners")
        if let text = try filter.text("level_min") {
            guard let level = Self.basisPoints(text) else {
                throw .invalid(
                    "invalid_value", "level_min must be a share such as \"80%\" or \"99.5%\"",
                    "filter.level_min")
            }
            result.levelMin = level
        }
        return result
    }

    /// `80%`, `99.5%`, `120.25%`.
    static func basisPoints(_ text: String) -> Int64? {
        guard text.hasSuffix("%") else { return nil }
        let parts = text.dropLast().split(separator: ".", omittingEmptySubsequences: false)
        guard (1...2).contains(parts.count), parts.allSatisfy({ !$0.isEmpty }),
            parts.allSatisfy({ $0.utf8.allSatisfy { (0x30...0x39).contains($0) } }),
            let whole = Int64(parts[0]), whole <= 1_000_000
        else { return nil }
        guard parts.count == 2 else { return whole * 100 }
        guard parts[1].utf8.count <= 2, let rest = Int64(parts[1]) else { return nil }
        return whole * 100 + (parts[1].utf8.count == 1 ? rest * 10 : rest)
    }

    private func digest(
        _ document: Members, _ kind: AlertEndpoint.Kind
    ) throws(ControlProblem) -> AlertEndpoint.Digest {
        switch document.value["digest"] {
        case nil, .null?:
            // Slack takes about one message a second, and people read them.
            return switch kind {
            case .webhook: .init(everySeconds: 0, over: 50)
            case .slack: .init(everySeconds: 1, over: 1)
            case .kafka: .init(everySeconds: 0, over: nil)
            }
        case .bool(false)?:
            return .init(everySeconds: kind == .slack ? 1 : 0, over: nil)
        case .object?: break
        default:
            throw .invalid(
                "invalid_type", "digest must be an object such as {\"over\": 50}, or false",
                "digest")
        }
        let digest = Members(document.value["digest"] ?? .null, "digest")
        try digest.requireKnown(["every_seconds", "over"])
        if kind == .kafka {
            throw .invalid("invalid_value", "a kafka endpoint has no digest", "digest")
        }
        let every = try digest.integer("every_seconds", 0...86_400)
        let over = try digest.integer("over", 1...500)
        return .init(
            everySeconds: max(every ?? 0, kind == .slack ? 1 : 0),
            over: Int(over ?? (every ?? 0 > 0 || kind == .slack ? 1 : 50)))
    }
}
