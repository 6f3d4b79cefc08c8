import Foundation

/// Where a server listens.
struct ServerAddress: Sendable, Hashable, CustomStringConvertible {
    var host: String
    var port: Int
    var isSecure = false

    /// Reads `http://host:port`, `https://host:port`, `host:port` or `host`; IPv6 addresses in
    /// brackets.
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
        guard let scheme = url.scheme?.lowercased(), ["http", "https"].contains(scheme) else {
            throw ClientFailure(.usage, "\(option): only http:// and https:// are spoken here")
        }
        isSecure = scheme == "https"
        let isBracketed = host.hasPrefix("[") && host.hasSuffix("]")
        self.host = isBracketed ? String(host.dropFirst().dropLast()) : host
        port = url.port ?? (isSecure ? 443 : 80)
    }

    /// For the `Host` header.
    var authority: String { (host.contains(":") ? "[\(host)]" : host) + ":\(port)" }

    var description: String { (isSecure ? "https://" : "http://") + authority }
}
