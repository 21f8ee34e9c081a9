/*-------------------------------------------------------------------------
 *
 * crc32c.h
 *	  CRC-32C (Castagnoli), the checksum of weight images.
 *
 * Depends on libc only.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MB_CRC32C_H
#define MB_CRC32C_H

#include <stddef.h>
#include <stdint.h>

/* Continued from crc; begin with 0. */
extern uint32_t mb_crc32c(uint32_t crc, const void *bytes, size_t size);

/* The same in plain C: the oracle of tests, and for other processors. */
extern uint32_t mb_crc32c_ref(uint32_t crc, const void *bytes, size_t size);

#endif							/* MB_CRC32C_H */
