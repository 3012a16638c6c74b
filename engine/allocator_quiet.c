/* allocator.c, without what only a watched operation needs (see quiet.h).
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#define PROBE_QUIET
#include "quiet.h"

#define __free_one_page __free_one_page_quiet
#define __free_pages __free_pages_quiet
#define __rmqueue __rmqueue_quiet
#define __rmqueue_smallest __rmqueue_smallest_quiet
#define __zone_watermark_ok __zone_watermark_ok_quiet
#define alloc_pages alloc_pages_quiet
#define alloc_pages_bulk alloc_pages_bulk_quiet
#define alloc_pages_bulk_array alloc_pages_bulk_array_quiet
#define buddy_check buddy_check_quiet
#define del_page_from_free_list del_page_from_free_list_quiet
#define drain_all_pages drain_all_pages_quiet
#define drain_local_pages drain_local_pages_quiet
#define free_block free_block_quiet
#define free_highmem_block free_highmem_block_quiet
#define free_one_page free_one_page_quiet
#define free_pages_core free_pages_core_quiet
#define lru_mark lru_mark_quiet
#define move_to_free_list move_to_free_list_quiet
#define pcp_check pcp_check_quiet
#define reserve_highatomic_pageblock reserve_highatomic_pageblock_quiet
#define split_page split_page_quiet
#define unreserve_highatomic_pageblock unreserve_highatomic_pageblock_quiet
#define wakeup_kswapd wakeup_kswapd_quiet

#include "allocator.c"
