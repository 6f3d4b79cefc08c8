/// Where requests may go: pure.
///
/// Without the operator's leave: https, on port 443 or 8443, to addresses of the public internet.
/// What the operator allows (`--outbound-allow`) may be private, use any port or the port named,
/// and plain http.
package struct AddressRules: Sendable {
    /// `HOST`, `HOST:PORT` or a network (CIDR) that the operator allows.
    package enum Allowance: Hashable, Sendable {
        case host(String, port: Int?)
        case network(IPNetwork)

        /// - Throws: text for people.
        package init(_ text: String) throws(AddressProblem) {
            if text.contains("/") {
                guard let network = IPNetwork(text) else {
                    throw AddressProblem(
                        "`\(text)` is not a network such as 10.1.0.0/16 or fd00::/8")
                }
                self = .network(network)
                return
            }
            guard let place = OutboundURL.place(text[...]), place.isWellFormed else {
                throw AddressProblem(
                    "`\(text)` is not a host such as hooks.internal, with or without :PORT, and "
                        + "not a network such as 10.1.0.0/16")
            }
            self = .host(place.host, port: place.port)
        }
    }

    private static let ports: Set = [443, 8443]

    /// Not of the public internet (IANA's registries of special-purpose addresses).
    private static let special4 = networks([
        "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16",
        "172.16.0.0/12", "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16",
        "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4",
    ])
    /// Of IPv6 only 2000::/3 is public at all; these parts of it are not, or lead to IPv4 addresses
    /// that would have to be looked through (Teredo, 6to4). Mapped, compatible and NAT64 forms lie
    /// outside of it.
    private static let public6 = networks(["2000::/3"])
    private static let special6 = networks(["2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20"])

    private let hosts: [(name: String, port: Int?)]
    private let allowedNetworks: [IPNetwork]

    package init(allowing allowances: [Allowance] = []) {
        hosts = allowances.compactMap {
            if case .host(let name, let port) = $0 { (name, port) } else { nil }
        }
        allowedNetworks = allowances.compactMap {
            if case .network(let network) = $0 { network } else { nil }
        }
    }

    private static func networks(_ texts: [String]) -> [IPNetwork] {
        texts.compactMap { IPNetwork($0) }
    }

    /// What is wrong with an address as written, before any lookup.
    package func problem(with url: OutboundURL) -> AddressProblem? {
        if isAllowed(url) { return nil }
        // A name may lead into an allowed network; that shows when it is looked up.
        if !allowedNetworks.isEmpty, url.literal == nil { return nil }
        if let literal = url.literal { return problem(with: url, at: literal) }
        return formProblem(url)
    }

    /// What is wrong with one of the addresses that a name led to.
    package func problem(with url: OutboundURL, at address: IPAddress) -> AddressProblem? {
        if isAllowed(url) || allowedNetworks.contains(where: { $0.contains(address) }) {
            return nil
        }
        if let problem = formProblem(url) { return problem }
        if Self.isPublic(address) { return nil }
        return AddressProblem(
            "\(url.host) is at \(address), which is not an address of the public internet; "
                + "an operator can allow it with --outbound-allow")
    }

    package static func isPublic(_ address: IPAddress) -> Bool {
        if address.isVersion6 {
            return public6.contains { $0.contains(address) }
                && !special6.contains { $0.contains(address) }
        }
        return !special4.contains { $0.contains(address) }
    }

    private func isAllowed(_ url: OutboundURL) -> Bool {
        hosts.contains { $0.name == url.host && ($0.port ?? url.port) == url.port }
    }

    private func formProblem(_ url: OutboundURL) -> AddressProblem? {
        if !url.isSecure {
            return AddressProblem(
                "only https addresses are allowed; an operator can allow this host over http with "
                    + "--outbound-allow \(url.host)")
        }
        if !Self.ports.contains(url.port) {
            return AddressProblem(
                "port \(url.port) is not allowed, only 443 and 8443; an operator can allow it with "
                    + "--outbound-allow \(url.host):\(url.port)")
        }
        return nil
    }
}

/// What is wrong with an address, for people. Names the host at most.
package struct AddressProblem: Error, Sendable, Hashable, CustomStringConvertible {
    package var description: String
    package init(_ description: String) { self.description = description }
}
