#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// The system's resolver.
package enum HostLookup {
    /// Every address of a host, as 4 or 16 bytes in network order, in the system's order, none
    /// twice. Takes names and any form of literal that the system takes. Blocks for as long as the
    /// resolver does; call it on a thread that may.
    package static func addresses(of host: String) throws(HostLookupError) -> [[UInt8]] {
        // SAFETY: the pointers of fresh hints are nil, as the call wants them.
        var hints = unsafe addrinfo()
        unsafe hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        var list: UnsafeMutablePointer<addrinfo>?
        // SAFETY: the bridged name and the hints live as long as the call; the list is freed below.
        let result = unsafe getaddrinfo(host, nil, &hints, &list)
        guard result == 0 else {
            // SAFETY: the C string is constant, and copied at once.
            let why = unsafe String(cString: gai_strerror(result))
            throw HostLookupError(rawCode: result, message: why)
        }
        // SAFETY: the list is valid until it is freed, which is on the way out.
        defer { unsafe freeaddrinfo(list) }
        var found: [[UInt8]] = []
        var entry = unsafe list
        while let info = unsafe entry {
            // SAFETY: as above; an entry's address has the type that its family says.
            if let bytes = unsafe bytes(info.pointee), !found.contains(bytes) {
                found.append(bytes)
            }
            unsafe entry = info.pointee.ai_next
        }
        return found
    }

    private static func bytes(_ info: addrinfo) -> [UInt8]? {
        guard let address = unsafe info.ai_addr else { return nil }
        switch unsafe info.ai_family {
        case AF_INET:
            // SAFETY: an AF_INET entry points at a sockaddr_in.
            return unsafe address.withMemoryRebound(to: sockaddr_in.self, capacity: 1) {
                unsafe withUnsafeBytes(of: $0.pointee.sin_addr) { unsafe Array($0) }
            }
        case AF_INET6:
            // SAFETY: an AF_INET6 entry points at a sockaddr_in6.
            return unsafe address.withMemoryRebound(to: sockaddr_in6.self, capacity: 1) {
                unsafe withUnsafeBytes(of: $0.pointee.sin6_addr) { unsafe Array($0) }
            }
        default: return nil
        }
    }
}

/// Why a name has no address.
package struct HostLookupError: Error, Sendable, CustomStringConvertible {
    /// `EAI_…`
    package var rawCode: Int32
    package var message: String
    package var description: String { message }
}
