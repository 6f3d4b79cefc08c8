import Foundation

/// Where a server listens.
struct ServerAddress: Sendable, Hashable, CustomStringConvertible {
    var host: String
    var port: Int

    /// Reads `http://host:port`, `host:port` or `host` (port 80); IPv6 addresses in brackets.
    /// - Parameter option: named in the message.
    init(_ text: String, option: String) throws(ClientFailure) {
        let full = text.contains("://") ? text : "http://" + text
        guard let url = URLComponents(string: full), let host = url.host, !host.isEmpty,
            ["", "/"].contains(url.path), url.query == nil, (1...65_535).contains(url.port ?? 80)
        else {
            throw ClientFailure(
                .usage,
                "\(option): \(text) is not an address like \(ConnectionOptions.defaultServer)")
        }
        guard url.scheme?.lowercased() == "http" else {
            throw ClientFailure(
                .usage,
                """
                \(option): only http:// is spoken here. To reach a server on another machine safely, \
                forward its port: ssh -L 8080:127.0.0.1:8080 HOST
                """)
        }
        let isBracketed = host.hasPrefix("[") && host.hasSuffix("]")
        self.host = isBracketed ? String(host.dropFirst().dropLast()) : host
        port = url.port ?? 80
    }

    /// For the `Host` header.
    var authority: String { (host.contains(":") ? "[\(host)]" : host) + ":\(port)" }

    var description: String { "http://\(authority)" }
}
