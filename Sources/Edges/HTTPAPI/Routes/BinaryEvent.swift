internal import MeteringModel
internal import NIOCore
internal import NIOHTTP1

/// A CloudEvent in HTTP's binary mode (attributes in `ce-` headers, data in the body), written anew
/// in the structured form that the log holds.
enum BinaryEvent {
    static func structured(_ request: Request) throws(BodyFailure) -> ByteBuffer {
        var seen: Set<String> = []
        var attributes: [(name: String, value: String)] = []
        for (field, value) in request.head.headers where field.utf8.count > 3 {
            let lowered = field.lowercased()
            guard lowered.hasPrefix("ce-") else { continue }
            let name = String(lowered.dropFirst(3))
            guard name.utf8.allSatisfy(Self.isAttributeLetter) else {
                throw BodyFailure(
                    field: lowered, message: "attribute names have only letters and digits")
            }
            if name.hasPrefix("data") {
                throw BodyFailure(field: lowered, message: "data comes in the body")
            }
            guard seen.insert(name).inserted else {
                throw BodyFailure(field: lowered, message: "\(lowered) is given twice")
            }
            guard let decoded = PercentCoding.decode(value.utf8) else {
                throw BodyFailure(field: lowered, message: "the value is not well percent-encoded")
            }
            attributes.append((name, decoded))
        }
        var writer = JSONWriter()
        var failure: BodyFailure?
        writer.object { writer in
            for (name, value) in attributes {
                writer.name(text: name)
                writer.value(value)
            }
            failure = writeData(request, to: &writer)
        }
        if let failure { throw failure }
        return ByteBuffer(bytes: writer.bytes)
    }

    private static func isAttributeLetter(_ byte: UInt8) -> Bool {
        (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte)
            || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
    }

    /// JSON data stands as it came; text as a string; anything else as Base64.
    private static func writeData(
        _ request: Request, to writer: inout JSONWriter
    ) -> BodyFailure? {
        if let type = request.contentType {
            writer.member("\"datacontenttype\":", type)
        }
        let body = request.body
        if body.readableBytes == 0 { return nil }
        let type = EventMode.mediaType(request.contentType)
        let bytes = body.readableBytesSpan
        if type.isEmpty || type == "application/json" || type.hasSuffix("+json") {
            var cursor = JSONCursor()
            // The event around it is one level of nesting more.
            cursor.depth = 1
            do throws(BodyFailure) {
                try cursor.value(bytes)
                try cursor.end(bytes)
            } catch {
                return error
            }
            writer.name("\"data\":")
            writer.raw(body.readableBytesView)
        } else if UTF8Check.isValid(bytes) {
            writer.member("\"data\":", String(buffer: body))
        } else {
            writer.name("\"data_base64\":")
            writer.value(Base64.encode(Array(buffer: body)))
        }
        return nil
    }
}
