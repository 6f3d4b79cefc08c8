internal import MeteringModel
internal import MeteringPorts
internal import NIOCore

/// Events that could not be counted, with the reason, and sending them round again.
struct DeadLetterRoutes: Sendable {
    let reporting: any UsageReporting
    let ingest: any EventIngest

    init(_ services: HTTPServices) {
        reporting = services.reporting
        ingest = services.ingest
    }

    func list(_ request: Request) async throws(Problem) -> Answer {
        let query = try Query(request.query)
        let kind = try Self.kind(try query.text("kind"))
        let limit = try query.integer("limit", in: 1...1_000, default: 100)
        let cursor = try query.text("cursor")
        let page: (events: [StoredSetAside], next: String?)
        do throws(QueryError) {
            page = try reporting.setAside(kind: kind, cursor: cursor, limit: limit)
        } catch {
            throw Problem(error)
        }
        return .page("\"events\":", Page((page.events, page.next))) { writer, stored in
            Self.write(stored, to: &writer)
        }
    }

    /// `{"kind":"quarantine","limit":100}`, both optional, in the body or the query.
    func redrive(_ request: Request) async throws(Problem) -> Answer {
        let members = try ObjectReader(request.body).members
        let query = try Query(request.query)
        var kindText = try query.text("kind")
        switch members["kind"] {
        case nil, .null: break
        case .string(let text): kindText = text
        default: throw .invalid("kind", "kind must be dead_letter or quarantine")
        }
        let kind = try Self.kind(kindText)
        var limit = try query.integer("limit", in: 1...100_000, default: 1_000)
        if let value = members["limit"], value != .null {
            guard case .number(let text) = value, let number = Int(text),
                (1...100_000).contains(number)
            else { throw .invalid("limit", "limit must be a number from 1 to 100000") }
            limit = number
        }
        do throws(EventLogError) {
            let count = try await ingest.redrive(kind: kind, limit: limit)
            return .json { writer in
                writer.object { writer in
                    writer.member("\"redriven\":", Int64(count))
                }
            }
        } catch {
            throw Problem(error)
        }
    }

    private static func kind(_ text: String?) throws(Problem) -> SetAsideEvent.Kind? {
        guard let text else { return nil }
        guard let kind = SetAsideEvent.Kind(rawValue: text) else {
            throw .invalid("kind", "kind must be dead_letter or quarantine")
        }
        return kind
    }

    private static func write(_ stored: StoredSetAside, to writer: inout JSONWriter) {
        let event = stored.event
        writer.member("\"sequence\":", stored.sequence)
        writer.member("\"kind\":", event.kind.rawValue)
        writer.member("\"reason\":", event.reason)
        writer.member("\"detail\":", event.detail)
        writer.member("\"subject\":", event.subject.isEmpty ? nil : event.subject)
        writer.member("\"partition\":", Int64(event.partition))
        writer.member("\"offset\":", event.offset)
        writer.name("\"appended_at\":")
        writer.time(event.appendedAt)
        writer.name("\"headers\":")
        writer.object { writer in
            for (name, value) in HeaderList.read(event.headers) {
                writer.name(text: name)
                writer.value(value)
            }
        }
        write(payload: event.payload, to: &writer)
    }

    /// A payload that is sound JSON stands as itself; anything else as Base64.
    static func write(payload: [UInt8], to writer: inout JSONWriter) {
        // SAFETY: bytes have no padding; the span is read while `payload` is alive.
        let bytes = unsafe payload.span.bytes
        var cursor = JSONCursor()
        let isJSON: Bool
        do throws(BodyFailure) {
            try cursor.value(bytes)
            try cursor.end(bytes)
            isJSON = true
        } catch {
            isJSON = false
        }
        writer.name("\"event\":")
        if isJSON { writer.raw(payload) } else { writer.null() }
        if !isJSON {
            writer.name("\"event_base64\":")
            writer.value(Base64.encode(payload))
        }
    }
}

/// Reads the flat form that record headers are kept in (see FlatHeaders in MeteringPorts).
enum HeaderList {
    /// Stops at the first broken entry: a stored record may be anything.
    static func read(_ bytes: [UInt8]) -> [(name: String, value: String?)] {
        var headers: [(name: String, value: String?)] = []
        var rest = ByteBuffer(bytes: bytes)
        while let length: UInt16 = rest.readInteger(endianness: .little),
            let name = rest.readString(length: Int(length)),
            let size: UInt32 = rest.readInteger(endianness: .little)
        {
            if size == .max {
                headers.append((name, nil))
            } else if let value = rest.readString(length: Int(size)) {
                headers.append((name, value))
            } else {
                break
            }
        }
        return headers
    }
}

enum Base64 {
    private static let alphabet = Array(
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)

    static func encode(_ bytes: [UInt8]) -> String {
        var text: [UInt8] = []
        text.reserveCapacity((bytes.count + 2) / 3 * 4)
        for start in stride(from: 0, to: bytes.count, by: 3) {
            let group = bytes[start..<min(start + 3, bytes.count)]
            var word = group.reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
            word <<= UInt32(3 - group.count) * 8
            for position in 0..<4 {
                let index = Int(word >> UInt32(18 - 6 * position)) & 63
                text.append(position <= group.count ? alphabet[index] : UInt8(ascii: "="))
            }
        }
        return String(decoding: text, as: UTF8.self)
    }
}
