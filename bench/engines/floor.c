/* The least that a program in user space can do against a scanner: read a packet socket, count the different ports of each
 * source, and at the k-th put the source into a set of nftables by one message that was made beforehand. No decision that
 * could be defended, no guardrail, no memory of anybody: the yardstick for how soon a block can be in force on a machine.
 *   floor TABLE SET K PORT...     blocks in SET of table inet TABLE; the PORTs are in use and do not count
 *   floor - - K PORT...           writes a line with the source instead: how soon somebody can know
 * Prints "ready" once it listens. Formats: packet(7), netlink(7), linux/netfilter/nf_tables.h. */
#include <arpa/inet.h>
#include <linux/if_packet.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { ETHERTYPE_IPV4 = 0x0800, TCP = 6, SYN = 2, ACK = 16, RST = 4, SOURCES = 65536, MAX_K = 16 };

static unsigned char message[512];
static size_t length, key_at;
static struct { unsigned address; int ports[MAX_K]; int count; } sources[SOURCES];
static char in_use[65536];

static size_t begin(int type, int flags, int family, int resource) {
  size_t at = length;
  struct nlmsghdr header = {0, (unsigned short)type, (unsigned short)(NLM_F_REQUEST | flags), 0, 0};
  struct nfgenmsg netfilter = {(unsigned char)family, 0, htons((unsigned short)resource)};
  memcpy(message + length, &header, sizeof header);
  memcpy(message + length + sizeof header, &netfilter, sizeof netfilter);
  length += sizeof header + sizeof netfilter;
  return at;
}

static void end(size_t at) {
  unsigned bytes = (unsigned)(length - at);
  memcpy(message + at, &bytes, sizeof bytes);
}

static size_t attribute(int type, const void *value, size_t bytes) {
  size_t at = length;
  struct nlattr head = {(unsigned short)(sizeof head + bytes), (unsigned short)type};
  memcpy(message + at, &head, sizeof head);
  if (bytes > 0) memcpy(message + at + sizeof head, value, bytes);
  length += (sizeof head + bytes + 3) & ~(size_t)3;
  return at;
}

static void close_attribute(size_t at) {
  unsigned short bytes = (unsigned short)(length - at);
  memcpy(message + at, &bytes, sizeof bytes);
}

static void prepare(const char *table, const char *set) {
  end(begin(NFNL_MSG_BATCH_BEGIN, 0, AF_UNSPEC, NFNL_SUBSYS_NFTABLES));
  size_t add = begin((NFNL_SUBSYS_NFTABLES << 8) | NFT_MSG_NEWSETELEM, NLM_F_CREATE, 1 /* inet */, 0);
  attribute(NFTA_SET_ELEM_LIST_TABLE, table, strlen(table) + 1);
  attribute(NFTA_SET_ELEM_LIST_SET, set, strlen(set) + 1);
  size_t list = attribute(NFTA_SET_ELEM_LIST_ELEMENTS | NLA_F_NESTED, NULL, 0);
  size_t element = attribute(NFTA_LIST_ELEM | NLA_F_NESTED, NULL, 0);
  size_t key = attribute(NFTA_SET_ELEM_KEY | NLA_F_NESTED, NULL, 0);
  unsigned address = 0;
  key_at = attribute(NFTA_DATA_VALUE, &address, sizeof address) + sizeof(struct nlattr);
  close_attribute(key);
  close_attribute(element);
  close_attribute(list);
  end(add);
  end(begin(NFNL_MSG_BATCH_END, 0, AF_UNSPEC, NFNL_SUBSYS_NFTABLES));
}

int main(int argc, char **argv) {
  if (argc < 4) return 64;
  int k = atoi(argv[3]);
  if (k < 1 || k > MAX_K) return 64;
  for (int i = 4; i < argc; i++) in_use[atoi(argv[i]) & 65535] = 1;
  int tells = strcmp(argv[1], "-") == 0;
  if (!tells) prepare(argv[1], argv[2]);
  int netlink = socket(AF_NETLINK, SOCK_RAW, NETLINK_NETFILTER);
  int packets = socket(AF_PACKET, SOCK_DGRAM, htons(ETHERTYPE_IPV4));
  if (netlink < 0 || packets < 0) { perror("socket"); return 1; }
  puts("ready");
  fflush(stdout);
  for (;;) {
    unsigned char packet[128];
    ssize_t got = recv(packets, packet, sizeof packet, 0);
    int at = (packet[0] & 15) * 4;
    if (got < at + 14 || packet[9] != TCP || (packet[at + 13] & (SYN | ACK | RST)) != SYN) continue;
    int port = packet[at + 2] << 8 | packet[at + 3];
    if (in_use[port]) continue;
    unsigned address;
    memcpy(&address, packet + 12, sizeof address);
    unsigned slot = (address * 2654435761u) >> 16;
    if (sources[slot].address != address) { sources[slot].address = address; sources[slot].count = 0; }
    int known = sources[slot].count >= k;
    for (int i = 0; i < sources[slot].count && !known; i++) known = sources[slot].ports[i] == port;
    if (known) continue;
    sources[slot].ports[sources[slot].count++] = port;
    if (sources[slot].count < k) continue;
    if (tells) {
      char text[INET_ADDRSTRLEN];
      puts(inet_ntop(AF_INET, &address, text, sizeof text));
      fflush(stdout);
      continue;
    }
    memcpy(message + key_at, &address, sizeof address);
    if (send(netlink, message, length, 0) < 0) perror("send");
  }
}
