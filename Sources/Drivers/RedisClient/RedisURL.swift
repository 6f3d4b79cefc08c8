/// Where a server is and how to get in: `redis://[user:password@]host[:port][/database]`.
///
/// User and password may be percent-encoded; an IPv6 address stands in brackets.
package struct RedisURL: Sendable, Hashable {
    package var host: String
    package var port: Int
    package var user: String?
    package var password: RedisSecret?
    package var database: Int

    package init(
        host: String, port: Int = 6379, user: String? = nil, password: RedisSecret? = nil,
        database: Int = 0
    ) {
        self.host = host
        self.port = port
        self.user = user
        self.password = password
        self.database = database
    }

    /// - Throws: `RedisURLError` that says what is wrong, without repeating the credentials.
    package init(_ text: String) throws(RedisURLError) {
        guard let schemeEnd = text.firstRange(of: "://") else {
            throw RedisURLError("it does not start with redis://")
        }
        switch text[..<schemeEnd.lowerBound].lowercased() {
        case "redis": break
        case "rediss":
            throw RedisURLError(
                "rediss:// needs TLS, which hiredis 0.14 does not have: run a TLS sidecar "
                    + "(stunnel, Envoy) next to this process and name it with redis://")
        default: throw RedisURLError("its scheme is not redis://")
        }

        var rest = text[schemeEnd.upperBound...]
        if rest.contains(where: { $0 == "?" || $0 == "#" }) {
            throw RedisURLError("query and fragment are not supported")
        }
        var credentials: Substring?
        if let at = rest.lastIndex(of: "@") {
            credentials = rest[..<at]
            rest = rest[rest.index(after: at)...]
        }
        var path: Substring = ""
        if let slash = rest.firstIndex(of: "/") {
            path = rest[rest.index(after: slash)...]
            rest = rest[..<slash]
        }
        (host, port) = try Self.parseAddress(rest)
        (user, password) = try Self.parseCredentials(credentials)
        if path.isEmpty {
            database = 0
        } else {
            guard let number = Int(path), (0...65_535).contains(number) else {
                throw RedisURLError("its database is not a number from 0 to 65535")
            }
            database = number
        }
    }

    private static func parseAddress(
        _ text: Substring
    ) throws(RedisURLError) -> (host: String, port: Int) {
        var host = text
        var port: Substring?
        if text.first == "[" {
            guard let close = text.firstIndex(of: "]") else {
                throw RedisURLError("the bracket of its IPv6 address is not closed")
            }
            host = text[text.index(after: text.startIndex)..<close]
            let tail = text[text.index(after: close)...]
            if !tail.isEmpty {
                guard tail.first == ":" else {
                    throw RedisURLError("something other than a port follows its IPv6 address")
                }
                port = tail.dropFirst()
            }
        } else if let colon = text.lastIndex(of: ":") {
            host = text[..<colon]
            port = text[text.index(after: colon)...]
            if host.contains(":") {
                throw RedisURLError("an IPv6 address must stand in brackets")
            }
        }
        guard !host.isEmpty else { throw RedisURLError("it names no host") }
        guard !host.utf8.contains(0) else { throw RedisURLError("its host holds a zero byte") }
        guard let port else { return (String(host), 6379) }
        guard let number = Int(port), (1...65_535).contains(number) else {
            throw RedisURLError("its port is not a number from 1 to 65535")
        }
        return (String(host), number)
    }

    private static func parseCredentials(
        _ text: Substring?
    ) throws(RedisURLError) -> (user: String?, password: RedisSecret?) {
        guard let text else { return (nil, nil) }
        guard let colon = text.firstIndex(of: ":") else {
            throw RedisURLError("its credentials have no password (user:password@ or :password@)")
        }
        guard let user = percentDecoded(text[..<colon]),
            let password = percentDecoded(text[text.index(after: colon)...])
        else { throw RedisURLError("its credentials hold a broken percent escape") }
        guard !password.isEmpty else { throw RedisURLError("its password is empty") }
        return (user.isEmpty ? nil : user, RedisSecret(password))
    }

    private static func percentDecoded(_ text: Substring) -> String? {
        var bytes: [UInt8] = []
        var rest = text.utf8[...]
        while let byte = rest.popFirst() {
            guard byte == UInt8(ascii: "%") else {
                bytes.append(byte)
                continue
            }
            guard let high = rest.popFirst().flatMap(hexValue),
                let low = rest.popFirst().flatMap(hexValue)
            else { return nil }
            bytes.append(high << 4 | low)
        }
        return String(validating: bytes, as: UTF8.self)
    }

    private static func hexValue(_ digit: UInt8) -> UInt8? {
        switch digit {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): digit - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): digit - UInt8(ascii: "a") + 10
        case UInt8(ascii: "A")...UInt8(ascii: "F"): digit - UInt8(ascii: "A") + 10
        default: nil
        }
    }
}

extension RedisURL: CustomStringConvertible {
    /// For logs: the password is masked.
    package var description: String {
        let credentials = password == nil ? "" : "\(user ?? ""):***@"
        let shownHost = host.contains(":") ? "[\(host)]" : host
        return "redis://\(credentials)\(shownHost):\(port)/\(database)"
    }
}

package struct RedisURLError: Error, Sendable, Hashable, CustomStringConvertible {
    package var reason: String

    init(_ reason: String) { self.reason = reason }

    package var description: String { "not a usable Redis URL: \(reason)" }
}
