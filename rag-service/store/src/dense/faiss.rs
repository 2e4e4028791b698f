//! The one module that names FAISS.
//!
//! The safe wrapper does most of it. Search goes through the C API, because the wrapper wants `&mut` where FAISS only
//! reads, and leaks every selector it is given.
#![expect(unsafe_code, reason = "FAISS is a C++ library; each call states why it is sound")]

use std::ffi::CStr;
use std::path::Path;
use std::ptr;

use faiss::index::{IndexImpl, NativeIndex};
use faiss::{IdMap, Idx, Index, MetricType};
use faiss_sys::{
    FaissIDSelectorBitmap, FaissSearchParameters, faiss_IDSelectorBitmap_free, faiss_IDSelectorBitmap_new,
    faiss_Index_reconstruct_n, faiss_Index_search_with_params, faiss_SearchParameters_free, faiss_SearchParameters_new,
    faiss_get_last_error,
};
use roaring::RoaringTreemap;

use crate::error::Fault;

unsafe extern "C" {
    /// From the OpenMP runtime FAISS is linked with.
    safe fn omp_set_num_threads(threads: std::ffi::c_int);
}

/// Vectors copied at a time when an index is compacted.
const COPY_CHUNK: usize = 1024;

/// A flat inner-product index whose vectors carry keys, in ascending order.
pub(super) struct FlatVectors {
    index: IdMap<IndexImpl>,
    dimension: usize,
}

/// A set of keys as FAISS tests it: bit `key % 8` of byte `key / 8`.
pub(super) struct KeyMask(Vec<u8>);

impl KeyMask {
    pub(super) fn of(keys: &RoaringTreemap) -> Self {
        let bytes = keys.max().map_or(0, |max| max / 8 + 1);
        let mut mask = vec![0_u8; usize::try_from(bytes).unwrap_or(usize::MAX)];
        for key in keys {
            let place = usize::try_from(key / 8).unwrap_or(usize::MAX);
            if let Some(byte) = mask.get_mut(place) {
                *byte |= 1 << (key % 8);
            }
        }
        Self(mask)
    }
}

impl FlatVectors {
    pub(super) fn empty(dimension: usize) -> Result<Self, Fault> {
        let components = u32::try_from(dimension).map_err(refused)?;
        let flat = faiss::index_factory(components, "Flat", MetricType::InnerProduct).map_err(refused)?;
        Ok(Self {
            index: IdMap::new(flat).map_err(refused)?,
            dimension,
        })
    }

    /// Reads what [`Self::write`] wrote. The caller has verified the file's checksum.
    pub(super) fn read(path: &Path, dimension: usize) -> Result<Self, Fault> {
        let index = faiss::read_index(path.to_string_lossy())
            .and_then(IndexImpl::into_id_map)
            .map_err(refused)?;
        let vectors = Self { index, dimension };
        if vectors.index.d() as usize != dimension || vectors.index.metric_type() != MetricType::InnerProduct {
            return Err(Fault::UseDense("the file holds vectors of another kind".to_owned()));
        }
        if vectors.len() as u64 != vectors.index.ntotal() || !vectors.keys().is_sorted_by(|left, right| left < right) {
            return Err(Fault::UseDense("the file's keys and vectors do not match".to_owned()));
        }
        Ok(vectors)
    }

    pub(super) fn write(&self, path: &Path) -> Result<(), Fault> {
        faiss::write_index(&self.index, path.to_string_lossy()).map_err(refused)
    }

    pub(super) fn dimension(&self) -> usize {
        self.dimension
    }

    pub(super) fn len(&self) -> usize {
        self.ids().len()
    }

    pub(super) fn keys(&self) -> impl Iterator<Item = u64> {
        self.ids().iter().map(|id| id.to_native().cast_unsigned())
    }

    /// Appends vectors, `[keys.len(), dimension]`, under ascending keys that are above all present ones.
    pub(super) fn add(&mut self, keys: &[u64], components: &[f32]) -> Result<(), Fault> {
        if keys.is_empty() {
            return Ok(());
        }
        // FAISS checks neither of these itself: a short slice would be read past its end.
        if components.len() != keys.len() * self.dimension {
            return Err(Fault::UseDense("as many vectors as keys are needed".to_owned()));
        }
        let present = self.ids().last().map(|id| id.to_native().cast_unsigned());
        if !present
            .into_iter()
            .chain(keys.iter().copied())
            .is_sorted_by(|left, right| left < right)
        {
            return Err(Fault::UseDense("keys must ascend".to_owned()));
        }
        let ids: Vec<Idx> = keys.iter().map(|key| Idx::new(*key)).collect();
        self.index.add_with_ids(components, &ids).map_err(refused)
    }

    /// Key and inner product of the `limit` best vectors, among the masked keys when a mask is given.
    pub(super) fn search(&self, query: &[f32], limit: usize, mask: Option<&KeyMask>) -> Result<Vec<(u64, f32)>, Fault> {
        assert_eq!(query.len(), self.dimension, "callers check the dimension");
        // One query is one thread's work: a team of OpenMP threads for each of many concurrent searches only gets in
        // its own way. The setting belongs to the calling thread, so it is made here.
        omp_set_num_threads(1);
        let mut scores = vec![0.0_f32; limit];
        let mut ids = vec![-1_i64; limit];
        let count = i64::try_from(limit).map_err(refused)?;
        let selector = mask.map(Selector::new).transpose()?;
        let parameters = selector
            .as_ref()
            .map_or(ptr::null(), |selector| selector.parameters.cast_const());
        // SAFETY: the index lives as long as `self`, and FAISS only reads it here; `query` has `dimension` components
        // (asserted above); both output slices have `limit` elements; `parameters` is null or alive until the end of
        // this function, and so is the mask it points to.
        let code = unsafe {
            faiss_Index_search_with_params(
                self.index.inner_ptr(),
                1,
                query.as_ptr(),
                count,
                parameters,
                scores.as_mut_ptr(),
                ids.as_mut_ptr(),
            )
        };
        check(code)?;
        Ok(ids
            .into_iter()
            .zip(scores)
            .filter_map(|(id, score)| Some((u64::try_from(id).ok()?, score)))
            .collect())
    }

    /// A new index with only the vectors under these keys.
    pub(super) fn copy_of(&self, keys: &RoaringTreemap) -> Result<Self, Fault> {
        let mut copy = Self::empty(self.dimension)?;
        let all: Vec<u64> = self.keys().collect();
        let mut buffer = vec![0.0_f32; COPY_CHUNK * self.dimension];
        for (chunk, present) in all.chunks(COPY_CHUNK).enumerate() {
            let first = i64::try_from(chunk * COPY_CHUNK).map_err(refused)?;
            let count = i64::try_from(present.len()).map_err(refused)?;
            // SAFETY: positions `first..first + count` exist in the inner flat index, which holds as many vectors as
            // there are ids; the buffer has room for `COPY_CHUNK >= count` vectors.
            check(unsafe {
                faiss_Index_reconstruct_n(self.index.index_inner_ptr(), first, count, buffer.as_mut_ptr())
            })?;
            let (kept_keys, kept): (Vec<u64>, Vec<&[f32]>) = present
                .iter()
                .copied()
                .zip(buffer.chunks_exact(self.dimension))
                .filter(|(key, _)| keys.contains(*key))
                .unzip();
            copy.add(&kept_keys, &kept.concat())?;
        }
        Ok(copy)
    }

    fn ids(&self) -> &[Idx] {
        if self.index.ntotal() == 0 {
            // The wrapper would make a slice of a null pointer.
            return &[];
        }
        self.index.id_map()
    }
}

/// Search parameters that let only masked keys through; freed on drop.
struct Selector<'mask> {
    selector: *mut FaissIDSelectorBitmap,
    parameters: *mut FaissSearchParameters,
    _mask: &'mask KeyMask,
}

impl<'mask> Selector<'mask> {
    fn new(mask: &'mask KeyMask) -> Result<Self, Fault> {
        let mut made = Self {
            selector: ptr::null_mut(),
            parameters: ptr::null_mut(),
            _mask: mask,
        };
        // SAFETY: FAISS keeps the mask's pointer; the lifetime of `Selector` keeps the mask alive. The selector
        // outlives the parameters that point to it (see `drop`).
        unsafe {
            check(faiss_IDSelectorBitmap_new(
                &raw mut made.selector,
                mask.0.len(),
                mask.0.as_ptr(),
            ))?;
            check(faiss_SearchParameters_new(
                &raw mut made.parameters,
                made.selector.cast(),
            ))?;
        }
        Ok(made)
    }
}

impl Drop for Selector<'_> {
    fn drop(&mut self) {
        // SAFETY: both pointers are null or came from FAISS and are freed once; FAISS's parameters do not own their
        // selector.
        unsafe {
            if !self.parameters.is_null() {
                faiss_SearchParameters_free(self.parameters);
            }
            if !self.selector.is_null() {
                faiss_IDSelectorBitmap_free(self.selector);
            }
        }
    }
}

fn check(code: std::ffi::c_int) -> Result<(), Fault> {
    if code == 0 {
        return Ok(());
    }
    // SAFETY: after a failure FAISS returns a NUL-terminated text owned by this thread, valid until its next failure.
    let message = unsafe {
        let text = faiss_get_last_error();
        if text.is_null() {
            "unknown failure".into()
        } else {
            CStr::from_ptr(text).to_string_lossy()
        }
    };
    Err(Fault::UseDense(message.into_owned()))
}

fn refused(error: impl std::fmt::Display) -> Fault {
    Fault::UseDense(error.to_string())
}
