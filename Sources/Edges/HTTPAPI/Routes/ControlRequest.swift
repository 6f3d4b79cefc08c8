internal import Crypto
internal import MeteringModel
internal import MeteringPorts
internal import NIOCore
internal import NIOHTTP1

/// What a control-plane request says beside its document: header fields and query parameters.
enum ControlRequest {
    private static let idempotencyKeyBytes = 1...255
    private static let sourceBytes = 1...64
    private static let visible: ClosedRange<UInt8> = 0x21...0x7E

    static func context(_ request: Request, _ query: Query) throws(Problem) -> CommandContext {
        try context(request, query, effectiveAt: try query.time("effective_at"))
    }

    private static func context(
        _ request: Request, _ query: Query, effectiveAt: Timestamp?
    ) throws(Problem) -> CommandContext {
        CommandContext(
            principal: request.principal, source: try source(request),
            requestID: request.requestID, idempotencyKey: try idempotencyKey(request),
            ifMatch: try ifMatch(request),
            effectiveAt: effectiveAt.map(wholeSeconds),
            reason: try query.text("reason"), isDryRun: try query.flag("dry_run"),
            expectedCount: try expectedCount(query))
    }

    /// Reads everything there is to a command. `effective_at` and `reason` may stand in the body;
    /// there they are no members of the record, except a reason that the record itself keeps.
    ///
    /// A date, or a time without an offset, is the customer's. Only the control plane knows which
    /// zone that is, so such an `effective_at` goes to it as a member of the body.
    static func command(
        _ operation: ControlCommand.Operation, _ request: Request
    ) throws(Problem) -> ControlCommand {
        let query = try Query(request.query)
        var members = try body(request)
        let asked = try query.text("effective_at")
        var context = try context(
            request, query, effectiveAt: asked.flatMap { TimeText.read($0) })
        if let asked, context.effectiveAt == nil {
            members["effective_at"] = .string(asked)
        } else if let value = members["effective_at"] {
            let instant = try effectiveAt(value)
            if let instant, let given = context.effectiveAt, given != instant {
                throw .invalid("effective_at", "body and query give two different times")
            }
            context.effectiveAt = instant ?? context.effectiveAt
            if instant != nil || value.isNull { members["effective_at"] = nil }
        }
        if let reason = members["reason"] {
            if !operation.keepsReason {
                guard reason.text != nil || reason.isNull else {
                    throw .invalid("reason", "reason must be a string")
                }
                members["reason"] = nil
            }
            context.reason = context.reason ?? reason.text
        }
        return ControlCommand(
            operation: operation, body: .object(members), context: context,
            digest: digest(of: request))
    }

    /// SHA-256 in hexadecimal over everything that makes a request another one. Every part is
    /// preceded by its length, so that none can pass for a piece of its neighbour.
    static func digest(of request: Request) -> String {
        var hash = SHA256()
        func add(_ part: some Sequence<UInt8>, count: Int) {
            hash.update(data: withLittleEndianBytes(of: UInt64(count)))
            hash.update(data: Array(part))
        }
        for text in [
            request.head.method.rawValue, request.head.uri, request.principal.id,
        ] {
            add(text.utf8, count: text.utf8.count)
        }
        add(request.body.readableBytesView, count: request.body.readableBytes)
        return hash.finalize().reduce(into: "") { text, byte in
            text += byte < 16 ? "0" + String(byte, radix: 16) : String(byte, radix: 16)
        }
    }

    private static func withLittleEndianBytes(of word: UInt64) -> [UInt8] {
        (0..<8).map { UInt8(truncatingIfNeeded: word >> UInt64($0 * 8)) }
    }

    /// The members of the body; none when it is empty.
    static func body(_ request: Request) throws(Problem) -> [String: JSONValue] {
        if request.body.readableBytes == 0 { return [:] }
        let value: JSONValue
        do throws(JSONSyntaxError) {
            value = try JSONParser.parse(Array(buffer: request.body))
        } catch {
            throw Problem(status: 400, code: "malformed_json", detail: error.description)
        }
        guard case .object(let members) = value else {
            throw Problem(
                status: 400, code: "malformed_json", detail: "the body must be a JSON object")
        }
        return members
    }

    /// Nil for null, and for what is not an instant by itself.
    private static func effectiveAt(_ value: JSONValue) throws(Problem) -> Timestamp? {
        if value.isNull { return nil }
        guard let text = value.text else {
            throw .invalid(
                "effective_at", "effective_at must be a time such as 2026-11-01T00:00:00Z")
        }
        return Timestamp(rfc3339: text).map(wholeSeconds)
    }

    /// The control plane keeps whole seconds.
    private static func wholeSeconds(_ instant: Timestamp) -> Timestamp {
        Timestamp(seconds: instant.seconds)
    }

    static func idempotencyKey(_ request: Request) throws(Problem) -> String? {
        guard let key = try request.header("Idempotency-Key") else { return nil }
        guard isVisible(key, idempotencyKeyBytes) else {
            throw .invalid("Idempotency-Key", "it must be 1 to 255 visible ASCII characters")
        }
        return key
    }

    private static func source(_ request: Request) throws(Problem) -> String {
        guard let source = try request.header("Tollgate-Source") else { return "api" }
        guard isVisible(source, sourceBytes) else {
            throw .invalid("Tollgate-Source", "it must be 1 to 64 visible ASCII characters")
        }
        return source
    }

    private static func isVisible(_ text: String, _ count: ClosedRange<Int>) -> Bool {
        count.contains(text.utf8.count) && text.utf8.allSatisfy(visible.contains)
    }

    /// `"17"` without its quotes, or `*`. A weak tag matches nothing (RFC 9110 §13.1.1).
    private static func ifMatch(_ request: Request) throws(Problem) -> String? {
        guard let text = try request.header("If-Match") else { return nil }
        if text == "*" { return text }
        if text.hasPrefix("W/") {
            throw Problem(
                status: 412, code: "precondition_failed",
                detail: "a weak entity tag never matches; send the one of the ETag field",
                field: "If-Match")
        }
        let tag = text.dropFirst().dropLast()
        guard text.utf8.count >= 3, text.first == "\"", text.last == "\"",
            tag.utf8.allSatisfy({ visible.contains($0) && $0 != UInt8(ascii: "\"") })
        else {
            throw .invalid("If-Match", "it must be * or one entity tag in quotes, such as \"17\"")
        }
        return String(tag)
    }

    private static func expectedCount(_ query: Query) throws(Problem) -> Int? {
        if try query.text("expected_count") == nil { return nil }
        return try query.integer("expected_count", in: 0...1_000_000_000, default: 0)
    }
}

extension ControlCommand.Operation {
    /// Whether the document has a reason of its own.
    fileprivate var keepsReason: Bool {
        switch self {
        case .create(let kind), .put(let kind, _), .patch(let kind, _):
            [.override, .grant, .suspension, .revocation].contains(kind)
        case .revoke, .reinstate: true
        case .delete, .provision, .migrate, .assignSeat, .releaseSeat, .renewSeat, .undo,
            .createKey, .revokeKey, .mintToken, .rotateSigningKey:
            false
        }
    }
}
