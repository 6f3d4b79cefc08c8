internal import NIOCore
internal import NIOHTTP1

/// Puts an answer's bytes behind those that already wait in a buffer. NIO's own encoder makes a
/// header list of strings for each answer; here they are bytes from the start.
enum AnswerEncoder {
    static func write(
        _ head: AnswerHead, body: [UInt8], exchange: Exchange, closes: Bool,
        dateLine: ByteBuffer, to out: inout ByteBuffer
    ) {
        if head.status == 200 {
            out.writeStaticString("HTTP/1.1 200 OK\r\nContent-Type: ")
        } else {
            out.writeStaticString("HTTP/1.1 ")
            out.writeDecimal(head.status)
            out.writeInteger(UInt8(ascii: " "))
            out.writeString(HTTPResponseStatus(statusCode: head.status).reasonPhrase)
            out.writeStaticString("\r\nContent-Type: ")
        }
        out.writeStaticString(head.contentType)
        out.writeStaticString("\r\nContent-Length: ")
        out.writeDecimal(body.count)
        out.writeImmutableBuffer(dateLine)
        for header in head.headers { writeField(header.name, header.value, to: &out) }
        if let requestID = exchange.requestID { writeField("X-Request-Id", requestID, to: &out) }
        if closes {
            out.writeStaticString("Connection: close\r\n")
        } else if exchange.isOldVersion {
            out.writeStaticString("Connection: keep-alive\r\n")
        }
        out.writeStaticString("\r\n")
        if !exchange.isHead { out.writeBytes(body) }
    }

    private static func writeField(_ name: String, _ value: String, to out: inout ByteBuffer) {
        out.writeString(name)
        out.writeStaticString(": ")
        // A value comes from a catalog or a client: it must not end the line it stands in.
        if value.utf8.allSatisfy({ $0 >= 0x20 && $0 != 0x7F }) {
            out.writeString(value)
        } else {
            out.writeBytes(value.utf8.filter { $0 >= 0x20 && $0 != 0x7F })
        }
        out.writeStaticString("\r\n")
    }
}

extension ByteBuffer {
    /// Writes the digits of a number that is not negative.
    fileprivate mutating func writeDecimal(_ number: Int) {
        // Up to 15 digits a string needs no memory of its own.
        writeString(String(number))
    }
}
