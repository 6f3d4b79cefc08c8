import Foundation
import Glibc

struct HTTPAnswer: Sendable {
    var status: Int
    var headers: [String: String]
    var body: Data

    var text: String { String(decoding: body, as: UTF8.self) }

    func read<Value: Decodable>(_ type: Value.Type = Value.self) throws -> Value {
        do {
            return try JSONDecoder().decode(type, from: body)
        } catch {
            throw Unmet("\(status) \(text.prefix(500)): \(error)")
        }
    }
}

/// One kept-alive connection on loopback, used by one thread at a time; calls block, with a bound.
final class HTTPConnection {
    /// The request may or may not have had an effect.
    struct Broken: Error, CustomStringConvertible { var description: String }

    private let descriptor: Int32
    private var received: [UInt8] = []

    init(port: Int, timeoutSeconds: Int = 30) throws {
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        guard descriptor >= 0 else { throw Broken(description: "no socket: \(errno)") }
        var limit = timeval(tv_sec: timeoutSeconds, tv_usec: 0)
        let size = socklen_t(MemoryLayout<timeval>.size)
        // SAFETY: `limit` and `address` are locals that outlive the calls.
        unsafe setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, size)
        unsafe setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &limit, size)
        var on: Int32 = 1
        unsafe setsockopt(
            descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &on, socklen_t(MemoryLayout<Int32>.size))
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = in_port_t(UInt16(port).bigEndian)
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        let code = unsafe withUnsafePointer(to: &address) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                unsafe connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard code == 0 else {
            let reason = errno
            close(descriptor)
            throw Broken(description: "no connection to port \(port): errno \(reason)")
        }
    }

    deinit { close(descriptor) }

    func send(
        _ method: String, _ path: String, type: String = "application/json",
        body: [UInt8] = [], headers: [String: String] = [:]
    ) throws -> HTTPAnswer {
        var head = "\(method) \(path) HTTP/1.1\r\nHost: 127.0.0.1\r\n"
        if method != "GET" {
            head += "Content-Length: \(body.count)\r\n"
            if !type.isEmpty { head += "Content-Type: \(type)\r\n" }
        }
        for (name, value) in headers { head += "\(name): \(value)\r\n" }
        // A server that refuses a body early answers and closes; the answer still counts.
        let sent = write(Array((head + "\r\n").utf8) + body)
        do {
            return try receive()
        } catch {
            throw sent ? error : Broken(description: "the request was not taken")
        }
    }

    /// - Returns: whether all of it went out.
    func write(_ bytes: [UInt8]) -> Bool {
        var rest = bytes[...]
        while !rest.isEmpty {
            // SAFETY: the buffer lives for the call.
            let count = unsafe rest.withUnsafeBytes {
                unsafe Glibc.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
            }
            if count <= 0 { return false }
            rest = rest.dropFirst(count)
        }
        return true
    }

    private func receive() throws -> HTTPAnswer {
        var headEnd: Int?
        var scanned = 0
        while headEnd == nil {
            headEnd = endOfHead(from: max(0, scanned - 3))
            scanned = received.count
            if headEnd == nil { try fill() }
        }
        let end = headEnd ?? 0
        let head = String(decoding: received[..<end], as: UTF8.self)
        var lines = head.split(separator: "\r\n", omittingEmptySubsequences: true)[...]
        guard let first = lines.popFirst(), let status = Int(first.split(separator: " ")[1]) else {
            throw Broken(description: "not HTTP: \(head.prefix(200))")
        }
        var headers: [String: String] = [:]
        for line in lines {
            guard let colon = line.firstIndex(of: ":") else { continue }
            headers[line[..<colon].lowercased()] =
                line[line.index(after: colon)...].trimmingCharacters(in: .whitespaces)
        }
        let length = headers["content-length"].flatMap { Int($0) } ?? 0
        while received.count < end + length { try fill() }
        let body = Data(received[end..<end + length])
        received.removeSubrange(..<(end + length))
        if status == 100 { return try receive() }
        return HTTPAnswer(status: status, headers: headers, body: body)
    }

    private func endOfHead(from start: Int) -> Int? {
        guard received.count >= 4 else { return nil }
        for index in start..<(received.count - 3)
        where received[index] == 13 && received[index + 1] == 10
            && received[index + 2] == 13 && received[index + 3] == 10
        {
            return index + 4
        }
        return nil
    }

    private func fill() throws {
        var chunk = [UInt8](repeating: 0, count: 65_536)
        // SAFETY: the buffer lives for the call and is as long as told.
        let count = unsafe chunk.withUnsafeMutableBytes {
            unsafe recv(descriptor, $0.baseAddress, $0.count, 0)
        }
        guard count > 0 else { throw Broken(description: "closed before the answer") }
        received += chunk[..<count]
    }
}
